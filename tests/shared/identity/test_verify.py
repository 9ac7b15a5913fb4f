"""The attacks on tokens that must fail, and good tokens that must work through rotation and outages."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.errors import Unauthenticated, Unavailable
from shared.http_client import HttpClient
from shared.identity import jws
from shared.identity.jwks import IssuerKeys
from shared.identity.signing import OVERLAP_SECONDS, Signer
from shared.identity.token import DELEGATION, IDENTITY, delegation_claims
from shared.identity.verify import Verifier
from tests.shared.identity import forge
from tests.support.clock import FakeClock
from tests.support.wait import eventually


class World:
    """Two trusted issuers with their key sets in files, and the verifier of a service that trusts them."""

    def __init__(self, directory: Path, http: HttpClient) -> None:
        self.clock = FakeClock()
        self.directory = directory
        self.edge, self.agents = (Signer(name, clock=self.clock) for name in ("api_gateway", "agent_gateway"))
        for signer in (self.edge, self.agents):
            self.publish(signer)
        trust = {signer.issuer: str(directory / signer.issuer) for signer in (self.edge, self.agents)}
        self.verifier = Verifier(trust, http=http, clock=self.clock)

    def publish(self, signer: Signer) -> None:
        (self.directory / signer.issuer).write_bytes(signer.jwks())

    def token(self, signer: Signer | None = None, typ: str = IDENTITY, **changed: Any) -> str:
        signer = signer or self.edge
        return signer.sign(forge.identity(self.clock, issuer=signer.issuer, **changed), typ=typ)

    async def verify(self, token: str, *, audience: str = "llm_gateway", typ: str = IDENTITY) -> jws.Claims:
        return await self.verifier.verify(token, audience=audience, typ=typ)

    async def refuses(self, token: str, why: str | None = None, **expected: str) -> None:
        """Twice: a refusal must not be remembered as anything else."""
        for _ in range(2):
            with pytest.raises(Unauthenticated, match=why):
                await self.verify(token, **expected)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    http = HttpClient()
    world = World(tmp_path, http)
    yield world
    await world.verifier.close()
    await http.close()


async def test_a_good_token_is_verified_and_remembered(world: World) -> None:
    token = world.token()
    first = await world.verify(token)
    assert first["sub"] == "user:alice"
    assert await world.verify(token) == first


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


async def test_an_expired_token_is_refused_after_five_seconds_of_grace(world: World) -> None:
    token = world.token()
    world.clock.advance(64.9)
    await world.verify(token)
    world.clock.advance(0.1)
    await world.refuses(token, "expired")


async def test_what_is_remembered_still_expires(world: World) -> None:
    token = world.token(exp=int(world.clock.now()) + 10)
    await world.verify(token)
    world.clock.advance(15)
    await world.refuses(token, "expired")


async def test_a_token_from_the_future_is_refused(world: World) -> None:
    now = int(world.clock.now())
    await world.verify(world.token(iat=now + 5))
    await world.verify(world.token(nbf=now + 5))
    await world.refuses(world.token(iat=now + 6), "not valid yet")
    await world.refuses(world.token(nbf=now + 6), "not valid yet")


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["9999999999", 1.9e9, True, [], {}, "", [9_999_999_999]], ids=repr)
async def test_times_are_whole_numbers(world: World, name: str, value: Any) -> None:
    await world.refuses(world.token(**{name: value}), f"{name} is not a whole number")


async def test_a_token_without_an_end_or_a_beginning_is_refused(world: World) -> None:
    await world.refuses(world.token(exp=None), "exp")
    await world.refuses(world.token(iat=None), "iat")


@pytest.mark.parametrize(
    "audience", ["mcp_gateway", "LLM_GATEWAY", "llm_gateway ", "", ["llm_gateway"], None, 5, True, {}]
)
async def test_the_audience_is_exactly_us(world: World, audience: Any) -> None:
    await world.refuses(world.token(aud=audience), "another service")


async def test_a_token_replayed_at_another_service_is_refused_even_when_remembered(world: World) -> None:
    token = world.token()
    await world.verify(token)
    await world.refuses(token, "another service", audience="mcp_gateway")
    await world.verify(token)


async def test_a_token_refused_for_another_service_is_still_good_for_its_own(world: World) -> None:
    token = world.token()
    await world.refuses(token, audience="mcp_gateway")
    await world.verify(token)


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


async def test_rotation_leaves_no_gap(world: World) -> None:
    old, before = world.edge.kid, world.token()
    await world.verify(before)
    new = world.edge.rotate()
    world.publish(world.edge)
    for _ in range(0, OVERLAP_SECONDS + 120, 20):
        world.clock.advance(20)
        await world.verify(world.token())
    assert world.edge.kid == new != old
    header = {"alg": "ES256", "typ": IDENTITY, "kid": old}
    late = forge.token(header, forge.identity(world.clock), world.edge._keys[0].private)
    await world.verify(late)


async def test_a_key_that_was_taken_back_ends_what_it_signed(world: World) -> None:
    stolen = world.token(exp=int(world.clock.now()) + 3600)
    await world.verify(stolen)
    fresh = Signer("api_gateway", clock=world.clock)
    world.publish(fresh)
    world.clock.advance(301)

    async def refused() -> bool:
        try:
            await world.verify(stolen)
        except Unauthenticated:
            return True
        return False

    await eventually(refused, "the keys are refreshed behind the request that found them old")
    await world.verify(world.token(fresh))


async def test_an_issuer_that_is_gone_means_nobody_can_tell(world: World) -> None:
    token = world.token()
    (world.directory / "api_gateway").unlink()
    with pytest.raises(Unavailable):
        await world.verify(token)
    await world.refuses(world.token(Signer("stranger", clock=world.clock)))


async def test_the_last_good_keys_serve_until_the_hard_limit(world: World) -> None:
    await world.verify(world.token())
    (world.directory / "api_gateway").unlink()
    world.clock.advance(3600)
    await world.verify(world.token())
    world.clock.advance(1)
    with pytest.raises(Unavailable):
        await world.verify(world.token())


async def test_our_own_keys_need_no_fetching(world: World) -> None:
    verifier = Verifier({}, http=HttpClient(), clock=world.clock, own=world.edge)
    assert (await verifier.verify(world.token(), audience="llm_gateway", typ=IDENTITY))[
        "iss"
    ] == "api_gateway"
    with pytest.raises(Unauthenticated, match="issuer"):
        await verifier.verify(world.token(world.agents), audience="llm_gateway", typ=IDENTITY)


async def test_the_memo_is_bounded_and_can_be_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.identity.verify._MEMO_SIZE", 3)
    tokens = [world.token(jti=str(number)) for number in range(5)]
    for token in tokens:
        await world.verify(token)
    assert len(world.verifier._memo) == 3
    world.verifier.forget()
    assert not world.verifier._memo
    await world.verify(tokens[0])


async def test_the_memo_cannot_be_poisoned_through_what_it_hands_out(world: World) -> None:
    token = world.token()
    (await world.verify(token))["sub"] = "user:root"
    (await world.verify(token))["sub"] = "user:root"
    assert (await world.verify(token))["sub"] == "user:alice"


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
    raw = [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]
    for part, data in enumerate(raw):
        for place in range(0, len(data), 7):
            changed = list(raw)
            changed[part] = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            with pytest.raises((Unauthenticated, Unavailable)):
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
