"""The card as its agent published it: to the byte, with its own signatures, for whoever may know where it
is.
"""

from pathlib import Path
from typing import Any

import jwt
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier

from agent_gateway.trust.sign import signed
from tests.agent_gateway.gateway import ALL, gateway
from tests.agent_gateway.trusting import CARD, Publisher, card, held
from tests.support.agents import Echo, RunningAgent, agent

ORIGINAL = "/agents/writer/card/original"
MAY = {"sub": "user:alice", "dom": "acme", "obj": "admin:agents/writer", "act": "read"}


def _opened(directory: Path, writer: RunningAgent) -> Any:
    return gateway(directory, writer=writer, rules=[*ALL, MAY])


async def test_it_is_what_the_agent_serves_to_the_byte(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, _opened(tmp_path, writer) as gate:
        async with await gate.http.send("GET", writer.card_url) as reply:
            own = await reply.read(65_536)
        answer = await gate.get(ORIGINAL)
        assert (answer.status, answer.body) == (200, own)
        assert writer.url in answer.body.decode()
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"].startswith("private")
        assert answer.headers["vary"] == "Authorization"
        await gate.row(resource="admin:agents/writer", action="read", agent="writer", outcome="completed")


async def test_the_official_sdk_verifies_the_publishers_own_signature(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(signed(card("größe"), publisher.signer))
    verify = create_signature_verifier(lambda kid, jku: jwt.PyJWK(publisher.jwk), ["ES256"])
    trust = {"keys": [publisher.jwk], "pin": "first_use"}
    async with held(tmp_path, publisher, trust) as (gate, _):
        await gate.edge.publish(gate.parts, "policy", {"rules": [*ALL, MAY]})
        original = (await gate.get(ORIGINAL)).json
        assert original["signatures"] == publisher.card["signatures"]
        verify(parse_agent_card(original))
        with pytest.raises(InvalidSignaturesError):
            verify(parse_agent_card((await gate.get(CARD)).json))


async def test_a_cache_can_tell_when_a_byte_has_changed(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(signed(card(), publisher.signer))
    async with held(tmp_path, publisher, {"keys": [publisher.jwk], "pin": "first_use"}) as (gate, _):
        await gate.edge.publish(gate.parts, "policy", {"rules": [*ALL, MAY]})
        first = await gate.get(ORIGINAL)
        again = await gate.get(ORIGINAL, if_none_match=first.headers["etag"])
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert again.headers["last-modified"] == first.headers["last-modified"]
        # Signed anew it is the same card in other bytes.
        publisher.publish(signed(card(), publisher.signer))
        renewed = await gate.get(ORIGINAL, if_none_match=first.headers["etag"])
        assert renewed.status == 200
        assert renewed.headers["etag"] != first.headers["etag"]
        assert (await gate.get(CARD)).status == 200


async def test_a_head_has_no_body_and_nothing_can_be_sent_there(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, _opened(tmp_path, writer) as gate:
        async with await gate.open("", b"", method="HEAD", path=ORIGINAL) as reply:
            assert (reply.status, await reply.read(100)) == (200, b"")
            assert reply.header("etag")
        for method in ("POST", "PUT", "DELETE"):
            assert (await gate.post("", b"", method=method, path=ORIGINAL)).status == 405


async def test_what_is_no_card_any_more_leaves_the_last_one(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    async with held(tmp_path, publisher, {}) as (gate, _):
        await gate.edge.publish(gate.parts, "policy", {"rules": [*ALL, MAY]})
        first = await gate.get(ORIGINAL)
        publisher.publish({"no": "card"})
        assert (await gate.get(ORIGINAL)).body == first.body


async def test_what_has_no_card_of_its_own_has_no_original(tmp_path: Path) -> None:
    section = {"agents": {"writer": {"bridge": {"kind": "chat", "model": "m"}}}}
    async with gateway(tmp_path, rules=[*ALL, MAY], section=section) as gate:
        assert (await gate.get(CARD)).status == 200
        answer = await gate.get(ORIGINAL)
        assert answer.status == 404
        assert "no card of its own" in answer.body.decode()
