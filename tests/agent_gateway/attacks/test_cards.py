"""What a malicious publisher tries with its card. Forged, stripped and swapped signatures are in
`test_trust_drift.py`, cards that point elsewhere in `test_cards.py`.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_gateway.cards import Cards
from agent_gateway.catalog import Catalog
from agent_gateway.trust.sign import signed
from shared.agents import AgentRecord
from shared.asgi import Send
from shared.egress import Egress
from shared.errors import Forbidden
from shared.http_client import HttpClient
from shared.identity.jcs import canonical
from tests.agent_gateway.gateway import ALL, gateway
from tests.agent_gateway.test_registry import LOCAL, record
from tests.agent_gateway.trusting import CARD, Publisher, _by_hand, _use, card, held
from tests.support.agents import Echo, Heard, agent, reply, scripted
from tests.support.clock import FakeClock
from tests.support.serve import someone


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


async def test_a_key_set_that_a_card_names_itself_is_not_even_fetched(tmp_path: Path) -> None:
    publisher, stranger = Publisher(), Publisher()

    async def keys(_: Heard, send: Send) -> None:
        await reply(send, stranger.signer.jwks())

    async with scripted(keys) as theirs:
        for name in ("jku", "x5u"):
            header = {"alg": "ES256", "kid": stranger.signer.kid, name: f"{theirs.url}jwks.json"}
            protected, signature = _by_hand(header, canonical(card()), stranger)
            publisher.publish({**card(), "signatures": [{"protected": protected, "signature": signature}]})
            directory = tmp_path / name
            directory.mkdir()
            async with held(directory, publisher, {"keys": [publisher.jwk]}) as (gate, _):
                assert (await gate.get(CARD)).status == 403
        assert theirs.heard == []


async def test_another_agents_card_with_a_good_signature_is_still_a_swap(tmp_path: Path) -> None:
    """One publisher signs the cards of two agents: held to its first card, one cannot pose as the other."""
    publisher = Publisher()
    publisher.publish(signed(card(), publisher.signer))
    trust = {"keys": [publisher.jwk], "pin": "first_use"}
    async with held(tmp_path, publisher, trust) as (gate, _):
        assert (await gate.get(CARD)).status == 200
        publisher.publish(signed({**card("pays"), "name": "treasurer"}, publisher.signer))
        assert (await gate.get(CARD)).status == 403
        assert await _use(gate) == -32000


async def test_an_older_card_that_was_signed_once_is_a_swap_too(tmp_path: Path) -> None:
    publisher = Publisher()
    old = signed(card("with a hole", version="0.9.0"), publisher.signer)
    publisher.publish(signed(card(), publisher.signer))
    async with held(tmp_path, publisher, {"keys": [publisher.jwk], "pin": "first_use"}) as (gate, _):
        assert (await gate.get(CARD)).status == 200
        publisher.publish(old)
        assert await _use(gate) == 0  # nothing has looked yet
        assert (await gate.get(CARD)).status == 403
        assert await _use(gate) == -32000


async def test_a_card_that_redirects_leads_nowhere(tmp_path: Path) -> None:
    async with agent(Echo()) as inside:

        async def elsewhere(_: Heard, send: Send) -> None:
            await reply(send, b"", status=302, location=inside.card_url)

        async with scripted(elsewhere) as writer, gateway(tmp_path, section=LOCAL) as gate:
            record = AgentRecord(name="writer", card_url=writer.card_url)
            await gate.edge.publish(gate.parts, "agents", [record])
            assert (await gate.get(CARD)).status == 502
            assert inside.heard == []


async def test_a_name_that_leads_inside_later_is_not_followed(http: HttpClient) -> None:
    """DNS rebinding: public when it was registered, and inside when its card is fetched again."""
    clock, answers = FakeClock(), [["127.0.0.1"], ["10.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async with agent(Echo()) as writer:
        url = writer.card_url.replace("127.0.0.1", "agents.example")
        catalog = Catalog({})
        catalog.apply(msgspec.json.encode([AgentRecord(name="writer", card_url=url)]), 1)
        found = catalog.find("writer")
        assert found is not None
        egress = Egress(["127.0.0.1/32"], resolve=resolve)
        cards = Cards(http, clock, cap=65_536, seconds=1, egress=egress)
        assert (await cards.of(found)).content["name"] == "an agent"
        clock.advance(2)
        with pytest.raises(Forbidden):
            await cards.of(found)
        assert len(writer.heard) == 1
        # One look-up a fetch: what was checked is what was connected to.
        assert answers == []


async def test_a_card_without_end_is_given_up(tmp_path: Path) -> None:
    filler: dict[str, Any] = {"description": "x" * 2_000_000}

    async def endless(_: Heard, send: Send) -> None:
        await reply(send, msgspec.json.encode(card() | filler))

    async with scripted(endless) as writer, gateway(tmp_path, writer=writer) as gate:
        assert (await gate.get(CARD)).status == 502


async def test_an_agent_does_not_inherit_the_card_of_another_that_had_its_name(tmp_path: Path) -> None:
    """Nor where the other was: the name of a tenant's agent is free again once that is removed."""
    rules = [*ALL, {"sub": "*", "dom": "*", "obj": "admin:agents/*", "act": "read"}]
    original = "/agents/writer/card/original"
    async with (
        agent(Echo(), "ours") as ours,
        agent(Echo(), "theirs") as theirs,
        gateway(tmp_path, rules=rules, section=LOCAL) as gate,
    ):
        await gate.edge.publish(gate.parts, "agents", [record("writer", ours, tenant="acme")])
        assert ours.url in (await gate.get(original)).body.decode()
        globex = someone(tenant="globex")
        await gate.edge.publish(gate.parts, "agents", [record("writer", theirs, tenant="globex")])
        assert (await gate.get(CARD, globex)).json["name"] == "theirs"
        assert ours.url not in (await gate.get(original, globex)).body.decode()
        nowhere = AgentRecord(name="writer", card_url="http://127.0.0.1:1/card", tenant="globex")
        await gate.edge.publish(gate.parts, "agents", [nowhere])
        for path in (CARD, original):
            assert (await gate.get(path, globex)).status == 502


async def test_a_card_with_skills_without_end_is_searched_in_part(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card(skills=[{"id": f"s{number}"} for number in range(5_000)]))
    async with held(tmp_path, publisher, {}) as (gate, _):
        [listed] = (await gate.get("/agents")).json["agents"]
        assert [each["id"] for each in listed["skills"]] == [f"s{number}" for number in range(500)]
