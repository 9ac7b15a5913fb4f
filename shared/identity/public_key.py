"""Public keys that others publish as JWKs, and what they have signed: the four asymmetric algorithms of JOSE
that are still good (RFC 7518 section 3.1, RFC 8037), no other curve, and no key that is shared.
"""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from shared.identity.jws import encoded

Jwk = Mapping[str, Any]
PublicKey = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey
_HALF = 32
_SMALLEST_BITS, _LARGEST_BITS = 2048, 8192
# An exponent as long as the modulus would make every signature cost a hundred times as much.
_LARGEST_EXPONENT = 2**32
_PSS = PSS(mgf=MGF1(SHA256()), salt_length=32)


def public_key(jwk: Jwk) -> PublicKey:
    """Raises ValueError for a JWK that is none of these kinds, or that lacks its numbers."""
    try:
        return _read(jwk)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("a key without its numbers") from error


def algorithms(key: PublicKey) -> tuple[str, ...]:
    """What `key` can verify."""
    if isinstance(key, EllipticCurvePublicKey):
        return ("ES256",)
    return ("RS256", "PS256") if isinstance(key, RSAPublicKey) else ("EdDSA",)


def signed(key: PublicKey, alg: str, proof: bytes, content: bytes) -> bool:
    """Whether `proof` is the signature of `key` over `content`; `alg` is one of its `algorithms`."""
    try:
        if isinstance(key, EllipticCurvePublicKey):
            if len(proof) != 2 * _HALF:
                return False
            r, s = int.from_bytes(proof[:_HALF]), int.from_bytes(proof[_HALF:])
            key.verify(encode_dss_signature(r, s), content, ECDSA(SHA256()))
        elif isinstance(key, RSAPublicKey):
            key.verify(proof, content, _PSS if alg == "PS256" else PKCS1v15(), SHA256())
        else:
            key.verify(proof, content)
    except InvalidSignature:
        return False
    return True


def unpadded(text: str) -> bytes:
    """What base64url without padding stands for. Raises ValueError for any other spelling."""
    data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if encoded(data).decode() != text:
        raise ValueError("not base64url")
    return data


def _read(jwk: Jwk) -> PublicKey:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "EC" and curve == "P-256":
        return EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), SECP256R1()).public_key()
    if kind == "OKP" and curve == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(unpadded(jwk["x"]))
    if kind == "RSA":
        modulus, exponent = _number(jwk["n"]), _number(jwk["e"])
        if not _SMALLEST_BITS <= modulus.bit_length() <= _LARGEST_BITS:
            raise ValueError(f"an RSA key must have {_SMALLEST_BITS} to {_LARGEST_BITS} bits")
        if exponent > _LARGEST_EXPONENT:
            raise ValueError("an RSA key's exponent is too large")
        return RSAPublicNumbers(exponent, modulus).public_key()
    raise ValueError("only EC P-256, Ed25519 and RSA keys verify here")


def _number(text: str) -> int:
    return int.from_bytes(unpadded(text))
