"""JWS over content that stands elsewhere (RFC 7515, appendix F): signatures of agents' cards, both ways.

A key is always one that the verifier was given: nothing in a signature's header adds one.
"""

from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from shared.identity.jws import encoded

Jwk = Mapping[str, Any]
_PublicKey = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey
_HALF = 32
_SMALLEST_BITS, _LARGEST_BITS = 2048, 8192
_LONGEST = 8192


class _Header(Struct):
    """`crit` would name something that a verifier must understand: there is nothing of that here."""

    alg: str
    kid: str = ""
    crit: list[str] | None = None


class TrustedKey(Struct, frozen=True):
    """A key that may sign, with the one algorithm that it signs with."""

    kid: str
    alg: str
    key: Any

    @classmethod
    def of(cls, jwk: Jwk) -> "TrustedKey":
        """Raises ValueError for a JWK that is none of ours."""
        try:
            alg, key = _read(jwk)
        except (KeyError, TypeError) as error:
            raise ValueError("a key without its numbers") from error
        if jwk.get("alg", alg) != alg or jwk.get("use", "sig") != "sig":
            raise ValueError(f"a key that does not sign with {alg}")
        return cls(str(jwk.get("kid") or ""), alg, key)


def signer_of(
    protected: str, signature: str, payload: bytes, keys: Sequence[TrustedKey]
) -> TrustedKey | None:
    """The key of `keys` that signed `payload`; None where none did, or the signature is none at all."""
    if len(protected) > _LONGEST or len(signature) > _LONGEST:
        return None
    try:
        header = msgspec.json.decode(_decoded(protected), type=_Header)
        proof = _decoded(signature)
        signed = protected.encode("ascii") + b"." + encoded(payload)
    except (ValueError, RecursionError):
        return None
    if header.crit is not None:
        return None
    fitting = (key for key in keys if key.alg == header.alg and (not key.kid or key.kid == header.kid))
    return next((key for key in fitting if _signed(key.key, proof, signed)), None)


def _signed(key: _PublicKey, proof: bytes, signed: bytes) -> bool:
    try:
        if isinstance(key, EllipticCurvePublicKey):
            if len(proof) != 2 * _HALF:
                return False
            r, s = int.from_bytes(proof[:_HALF]), int.from_bytes(proof[_HALF:])
            key.verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))
        elif isinstance(key, RSAPublicKey):
            key.verify(proof, signed, PKCS1v15(), SHA256())
        else:
            key.verify(proof, signed)
    except InvalidSignature:
        return False
    return True


def _read(jwk: Jwk) -> tuple[str, _PublicKey]:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "EC" and curve == "P-256":
        x, y = int.from_bytes(_decoded(jwk["x"])), int.from_bytes(_decoded(jwk["y"]))
        return "ES256", EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    if kind == "OKP" and curve == "Ed25519":
        return "EdDSA", Ed25519PublicKey.from_public_bytes(_decoded(jwk["x"]))
    if kind == "RSA":
        modulus, exponent = int.from_bytes(_decoded(jwk["n"])), int.from_bytes(_decoded(jwk["e"]))
        if not _SMALLEST_BITS <= modulus.bit_length() <= _LARGEST_BITS:
            raise ValueError(f"an RSA key must have {_SMALLEST_BITS} to {_LARGEST_BITS} bits")
        return "RS256", RSAPublicNumbers(exponent, modulus).public_key()
    raise ValueError("only EC P-256, Ed25519 and RSA keys verify cards")


def _decoded(text: str) -> bytes:
    data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if encoded(data).decode() != text:
        raise ValueError("not base64url")
    return data
