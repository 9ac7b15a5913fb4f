"""Cards are believed as far as known keys and approved hashes reach; what has changed waits for a person."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_gateway.catalog import Catalog
from agent_gateway.config import AgentEntry, CardTrust
from agent_gateway.trust import Trust
from agent_gateway.trust.sign import signed
from shared.agents import DRIFT
from shared.card_trust import trusted
from shared.clock import Clock
from shared.errors import Forbidden
from shared.identity.jcs import canonical
from shared.redis_client import Redis
from tests.agent_gateway.trusting import CARD, Publisher, _by_hand, _refused, _use, card, held
from tests.support.serve import someone
from tests.support.wait import eventually


async def test_a_card_signed_by_a_known_key_is_served(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(signed(card(), publisher.signer))
    async with held(tmp_path, publisher, {"keys": [publisher.jwk]}) as (gate, _):
        answer = await gate.get(CARD)
        assert answer.status == 200
        assert answer.json["description"] == "writes"


@pytest.mark.parametrize("how", ["stripped", "swapped", "unknown key", "own key by jku", "other agent's"])
async def test_a_card_that_no_known_key_signed_brings_quarantine(tmp_path: Path, how: str) -> None:
    publisher, stranger = Publisher(), Publisher()
    good = signed(card(), publisher.signer)
    header = {"alg": "ES256", "kid": stranger.signer.kid, "jku": "https://evil.example/jwks.json"}
    protected, signature = _by_hand(header, canonical(card("evil")), stranger)
    publisher.publish(
        {
            "stripped": card(),
            "swapped": {**good, "description": "evil"},
            "unknown key": signed(card(), stranger.signer),
            "own key by jku": {
                **card("evil"),
                "signatures": [{"protected": protected, "signature": signature, "header": header}],
            },
            "other agent's": {**card("evil"), "signatures": good["signatures"]},
        }[how]
    )
    async with held(tmp_path, publisher, {"keys": [publisher.jwk]}) as (gate, agent):
        answer = await gate.get(CARD)
        assert answer.status == 403
        assert await _use(gate) == -32000
        assert agent.calls() == []
        await gate.row(outcome="refused", reason="forbidden", decision="deny")


async def test_the_first_card_is_the_one_that_later_ones_are_held_to(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    async with held(tmp_path, publisher, {"pin": "first_use"}) as (gate, agent):
        assert (await gate.get(CARD)).status == 200
        assert await _use(gate) == 0
        publisher.publish(card("does something else"))
        assert (await gate.get(CARD)).status == 403
        assert await _use(gate) == -32000
        drifts = await gate.parts.redis.execute("HGETALL", DRIFT)
        found = msgspec.json.decode(drifts[1])
        assert found["changes"] == ['description: "writes" -> "does something else"']
        assert len(agent.calls()) == 1
        # It stays out of use even when the old card is back: a person decides.
        publisher.publish(card())
        assert await _use(gate) == -32000


async def test_another_process_hears_of_it(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    async with held(tmp_path, publisher, {"pin": "first_use"}) as (gate, _):
        assert await _use(gate) == 0
        drift = {"pin": "x" * 64, "card": {}, "changes": [], "why": "seen elsewhere", "at": 1}
        await gate.parts.redis.execute("HSET", DRIFT, "writer", msgspec.json.encode(drift))
        await eventually(lambda: _refused(gate), "the quarantine")


class Late:
    """Redis, whose first answer comes when the test says so."""

    def __init__(self, redis: Redis) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self._redis = redis

    async def execute(self, *args: Any) -> Any:
        found = await self._redis.execute(*args)
        if not self.asked.is_set():
            self.asked.set()
            await self.may_answer.wait()
        return found


async def test_what_is_noticed_while_others_are_asked_what_they_have_is_not_forgotten(redis: Redis) -> None:
    late = Late(redis)
    trust = Trust(late, Clock())  # type: ignore[arg-type]
    found = Catalog({"writer": AgentEntry(url="http://127.0.0.1:1/", trust=CardTrust(pin="0" * 64))})
    [writer] = found
    looking = asyncio.create_task(trust.look())
    await late.asked.wait()
    with pytest.raises(Forbidden):
        await trust.accept(writer, card())
    late.may_answer.set()
    await looking
    with pytest.raises(Forbidden):
        trust.check(writer, someone())


async def test_an_approved_card_ends_the_quarantine_and_no_other_does(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    async with held(tmp_path, publisher, {"pin": "first_use"}) as (gate, _):
        await gate.get(CARD)
        changed = publisher.publish(card("better"))
        assert (await gate.get(CARD)).status == 403
        other = {"name": "writer", "pin": "f" * 64}
        await gate.edge.publish(gate.parts, "agents", [other])
        assert await _use(gate) == -32000
        approved = {"name": "writer", "pin": trusted(changed, ()).pin, "card": changed}
        await gate.edge.publish(gate.parts, "agents", [approved])
        assert (await gate.get(CARD)).status == 200
        assert await _use(gate) == 0


async def test_a_configured_hash_is_held_to_from_the_first_look(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    async with held(tmp_path, publisher, {"pin": "0" * 64}) as (gate, _):
        assert (await gate.get(CARD)).status == 403


async def test_an_agent_that_is_held_to_nothing_may_change(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    async with held(tmp_path, publisher, {}) as (gate, _):
        assert (await gate.get(CARD)).status == 200
        publisher.publish(card("new"))
        assert (await gate.get(CARD)).json["description"] == "new"


async def test_cards_are_looked_at_although_nobody_asks(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    often = {"registry": {"check_seconds": 0.02}}
    async with held(tmp_path, publisher, {"pin": "first_use"}, **often) as (gate, _):
        await eventually(lambda: gate.parts.redis.execute("HLEN", "gs:agents:first"), "the first look")
        publisher.publish(card("evil"))
        await eventually(lambda: gate.parts.redis.execute("HLEN", DRIFT), "the drift")
        await eventually(lambda: _refused(gate), "the quarantine")


async def test_a_card_without_canonical_form_is_none(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card(number=2**60))
    async with held(tmp_path, publisher, {"pin": "first_use"}) as (gate, _):
        assert (await gate.get(CARD)).status == 502
