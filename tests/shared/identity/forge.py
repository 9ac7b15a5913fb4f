"""What an attacker can build: tokens with any header and any payload, signed with whatever is at hand."""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from shared.identity.principal import Caller, ChainBudget, Principal, Trace
from shared.identity.token import identity_claims
from tests.support.clock import FakeClock

TRACE = Trace(trace_id="1" * 32, span_id="2" * 16, sampled=True)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def some_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def es256(signed: bytes, key: EllipticCurvePrivateKey) -> bytes:
    r, s = decode_dss_signature(key.sign(signed, ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def token(
    header: dict[str, Any] | bytes,
    claims: dict[str, Any] | bytes,
    key: EllipticCurvePrivateKey | bytes | None,
) -> str:
    """A compact JWS: ES256 with a private key, HS256 with bytes, unsigned with None."""
    parts = [
        part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
        for part in (header, claims)
    ]
    signed = ".".join(map(b64, parts)).encode()
    if key is None:
        signature = b""
    elif isinstance(key, bytes):
        signature = hmac.digest(key, signed, hashlib.sha256)
    else:
        signature = es256(signed, key)
    return f"{signed.decode()}.{b64(signature)}"


def opened(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, whatever they are worth."""
    header, claims, _ = text.split(".")
    return json.loads(unb64(header)), json.loads(unb64(claims))


def alice(*agents: str, budget: ChainBudget | None = None) -> Caller:
    principal = Principal(
        sub="user:alice", tenant="acme", team="support", project="p1", tier="gold", scope=("model:*",)
    )
    return Caller(
        principal=principal,
        actors=("user:alice", *agents),
        chain="c" * 26,
        credential="key",
        hop=2,
        parent="e" * 26,
        key="k" * 26,
        budget=budget or ChainBudget(micros=500, tool_calls=3),
        trace=TRACE,
    )


def identity(
    clock: FakeClock, caller: Caller | None = None, *, issuer: str = "api_gateway", **changed: Any
) -> dict[str, Any]:
    """The claims of a good identity token for llm_gateway, with these ones `changed`; None takes one away."""
    claims = identity_claims(
        caller or alice(), issuer=issuer, audience="llm_gateway", entry_id="f" * 26, trace=TRACE, clock=clock
    )
    return {name: value for name, value in (claims | changed).items() if value is not None}
