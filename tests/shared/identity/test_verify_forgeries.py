"""Tokens that somebody made up, changed or took from elsewhere: none of them gets through."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.errors import Unauthenticated
from shared.identity import jws
from shared.identity.jwks import IssuerKeys
from shared.identity.signing import Signer
from shared.identity.token import DELEGATION, IDENTITY, delegation_claims
from tests.shared.identity import forge
from tests.shared.identity.world import World


async def test_a_token_of_a_key_that_is_not_the_issuers_is_refused(world: World) -> None:
    header = {"alg": "ES256", "typ": IDENTITY, "kid": world.edge.kid}
    await world.refuses(forge.token(header, forge.identity(world.clock), forge.some_key()), "signature")


async def test_an_unsigned_token_is_refused(world: World) -> None:
    header = {"typ": IDENTITY, "kid": world.edge.kid}
    for alg in ("none", "None", "NONE", "nOnE"):
        await world.refuses(forge.token({"alg": alg, **header}, forge.identity(world.clock), None))
    await world.refuses(world.token().rpartition(".")[0] + ".")


async def test_a_public_key_is_no_shared_secret(world: World) -> None:
    key = world.edge.public(world.edge.kid)
    assert key is not None
    spellings = [
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        world.edge.jwks(),
    ]
    for alg in ("HS256", "ES256"):
        header = {"alg": alg, "typ": IDENTITY, "kid": world.edge.kid}
        for secret in spellings:
            await world.refuses(forge.token(header, forge.identity(world.clock), secret))


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": "user:root"},
        {"tenant": "other"},
        {"scope": []},
        {"chain": ["user:alice", "agent:trusted"]},
        {"act": {"sub": "agent:trusted"}},
        {"budget": {}},
        {"budget": {"micros": 10**12}},
        {"aud": "mcp_gateway"},
        {"exp": 4_000_000_000},
        {"txn": "another"},
        {"iss": "agent_gateway"},
    ],
    ids=str,
)
async def test_no_claim_can_be_changed_under_an_old_signature(world: World, changed: dict[str, Any]) -> None:
    good = world.token()
    await world.verify(good)
    head, claims, signature = good.split(".")
    forged = forge.b64(json.dumps({**json.loads(forge.unb64(claims)), **changed}).encode())
    await world.refuses(f"{head}.{forged}.{signature}", audience=changed.get("aud", "llm_gateway"))


async def test_a_header_cannot_be_changed_under_an_old_signature(world: World) -> None:
    _, claims, signature = world.token().split(".")
    forged = jws.head(DELEGATION, world.edge.kid).decode()
    await world.refuses(f"{forged}.{claims}.{signature}", "signature", typ=DELEGATION)


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "TXN+JWT", "application/txn+jwt", "", DELEGATION, "snapshot+jwt", "checkpoint+jwt"]
)
async def test_the_type_is_exactly_the_one_expected(world: World, typ: str) -> None:
    await world.refuses(world.token(typ=typ), "type txn")


async def test_identity_and_delegation_are_not_taken_for_each_other(world: World) -> None:
    caller = forge.alice("agent:planner")
    claims = delegation_claims(
        caller,
        issuer="agent_gateway",
        audience="llm_gateway",
        entry_id="e",
        trace=None,
        ttl=60,
        clock=world.clock,
    )
    delegation, identity = world.agents.sign(claims, typ=DELEGATION), world.token()
    await world.verify(delegation, typ=DELEGATION)
    await world.verify(identity)
    await world.refuses(delegation, "type")
    await world.refuses(identity, "type", typ=DELEGATION)


async def test_an_issuer_that_is_not_trusted_is_refused(world: World) -> None:
    stranger = Signer("stranger", clock=world.clock)
    await world.refuses(world.token(stranger), "issuer is not trusted")


@pytest.mark.parametrize(
    "issuer", [None, "", 5, True, [], ["api_gateway"], {"api_gateway": 1}, "api_gateway\0"], ids=repr
)
async def test_an_issuer_that_makes_no_sense_is_refused(world: World, issuer: Any) -> None:
    claims = {**forge.identity(world.clock), "iss": issuer}
    header = {"alg": "ES256", "typ": IDENTITY, "kid": world.edge.kid}
    await world.refuses(forge.token(header, claims, forge.some_key()), "issuer is not trusted")


async def test_one_issuer_cannot_speak_for_another_with_its_own_key(world: World) -> None:
    key = world.agents._active.private
    for kid in (world.agents.kid, world.edge.kid):
        header = {"alg": "ES256", "typ": IDENTITY, "kid": kid}
        await world.refuses(forge.token(header, forge.identity(world.clock), key), "signature")


@pytest.mark.parametrize("kid", ["../../etc/passwd", "", "http://evil/", "' OR 1=1", "k" * 3000])
async def test_a_kid_is_a_name_and_nothing_else(world: World, kid: str) -> None:
    header = {"alg": "ES256", "typ": IDENTITY, "kid": kid}
    await world.refuses(forge.token(header, forge.identity(world.clock), forge.some_key()), "signature")


async def test_a_token_that_begins_like_a_remembered_one_is_another_token(world: World) -> None:
    token = world.token()
    await world.verify(token)
    await world.refuses(token[:-1])
    await world.refuses(token + "A")
    last = token[-1]
    for other in "AQgw":
        if other != last:
            await world.refuses(token[:-1] + other)


@pytest.mark.parametrize("text", ["", "gsk_abc", "\ud800", "a.b.c", "é.é.é", "." * 8000, "x" * 100_000])
async def test_text_that_is_no_token_is_refused(world: World, text: str) -> None:
    await world.refuses(text)


async def test_flipping_any_bit_of_a_token_is_noticed(world: World) -> None:
    token = world.token()
    await world.verify(token)
    raw = [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]
    for part, data in enumerate(raw):
        for place in range(0, len(data), 7):
            changed = list(raw)
            changed[part] = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            with pytest.raises(Unauthenticated):
                await world.verify(".".join(map(forge.b64, changed)))


async def test_unknown_kids_are_asked_for_through_one_door_per_issuer(world: World) -> None:
    await world.verify(world.token())
    keys = world.verifier._issuers["api_gateway"]
    assert isinstance(keys, IssuerKeys)
    asked = keys._asked_at
    for number in range(50):
        header = {"alg": "ES256", "typ": IDENTITY, "kid": str(number)}
        await world.refuses(forge.token(header, forge.identity(world.clock), forge.some_key()))
    assert keys._asked_at == asked
