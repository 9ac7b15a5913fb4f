"""A grant at somebody else's token endpoint: Google's service accounts, which prove themselves with an
assertion that they sign (RFC 7523). Asking for the token is the caller's business.
"""

from typing import Any
from urllib.parse import urlencode

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from shared.identity.jws import encoded

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SECONDS = 3600
_SMALLEST_BITS = 2048


class _File(Struct, frozen=True):
    client_email: str
    private_key: str
    token_uri: str
    private_key_id: str = ""


class ServiceAccount:
    """The holder of one key file. `token_uri` is where its grants are."""

    def __init__(self, file: _File, key: RSAPrivateKey) -> None:
        self.token_uri = file.token_uri
        self._file = file
        self._key = key

    @classmethod
    def read(cls, text: str) -> "ServiceAccount":
        """Raises ValueError, in words that do not quote the file."""
        try:
            file = msgspec.json.decode(text, type=_File)
        except ValueError as error:
            raise ValueError("is no service account's key file in JSON") from error
        if not file.token_uri.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError("has a token_uri that is no https address")
        try:
            key = load_pem_private_key(file.private_key.encode(), password=None)
        except (ValueError, TypeError) as error:
            raise ValueError("has a private_key that is no PEM key") from error
        if not isinstance(key, RSAPrivateKey) or key.key_size < _SMALLEST_BITS:
            raise ValueError(f"has a private_key that is no RSA key of at least {_SMALLEST_BITS} bits")
        return cls(file, key)

    def form(self, now: float, scope: str) -> bytes:
        """The body of the request for a token, valid for being sent at `now` (seconds since 1970)."""
        claims = {
            "iss": self._file.client_email,
            "scope": scope,
            "aud": self._file.token_uri,
            "iat": int(now),
            "exp": int(now) + _SECONDS,
        }
        return urlencode({"grant_type": _GRANT, "assertion": self._signed(claims)}).encode()

    def _signed(self, claims: dict[str, Any]) -> str:
        head = {"alg": "RS256", "typ": "JWT", "kid": self._file.private_key_id}
        signed = b".".join(encoded(msgspec.json.encode(part)) for part in (head, claims))
        signature = self._key.sign(signed, PKCS1v15(), SHA256())
        return (signed + b"." + encoded(signature)).decode("ascii")
