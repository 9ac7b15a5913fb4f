"""JWS over content that stands elsewhere (RFC 7515, appendix F): signatures of agents' cards, both ways.

A key is always one that the verifier was given: nothing in a signature's header adds one.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from shared.identity.jws import encoded
from shared.identity.public_key import Jwk, PublicKey, algorithms, public_key, signed, unpadded

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
    key: PublicKey

    @classmethod
    def of(cls, jwk: Jwk) -> "TrustedKey":
        """Raises ValueError for a JWK that is none of ours."""
        key = public_key(jwk)
        alg = algorithms(key)[0]
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
        header = msgspec.json.decode(unpadded(protected), type=_Header)
        proof = unpadded(signature)
        content = protected.encode("ascii") + b"." + encoded(payload)
    except (ValueError, RecursionError):
        return None
    if header.crit is not None:
        return None
    fitting = (key for key in keys if key.alg == header.alg and (not key.kid or key.kid == header.kid))
    return next((key for key in fitting if signed(key.key, key.alg, proof, content)), None)
