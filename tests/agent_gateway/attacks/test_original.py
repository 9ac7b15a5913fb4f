"""An agent's own card says where the agent is: who should not get at it tries to, and what one may hide."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.asgi import Send
from tests.agent_gateway.gateway import ALL, Answer, gateway
from tests.agent_gateway.test_original_card import MAY, ORIGINAL
from tests.agent_gateway.test_registry import LOCAL, record
from tests.agent_gateway.trusting import CARD, Publisher, card, held
from tests.support.agents import Echo, Heard, agent, reply, scripted
from tests.support.serve import someone

SEES = {"sub": "*", "dom": "*", "obj": "agent:*", "act": "*"}


def _hidden(answer: Answer, secret: str, status: int = 403) -> bool:
    """It is refused, and says nothing of where the agent is."""
    told = answer.body.decode() + repr(answer.headers)
    return answer.status == status and secret not in told and "etag" not in answer.headers


async def test_who_may_do_everything_with_the_agent_may_not_know_where_it_is(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, rules=[SEES]) as gate:
        assert (await gate.get(CARD)).status == 200
        assert _hidden(await gate.get(ORIGINAL), writer.url)
        await gate.row(resource="admin:agents/writer", decision="deny", outcome="refused", reason="forbidden")
        # A guess at the ETag is no way to ask whether it is this one.
        assert _hidden(await gate.get(ORIGINAL, if_none_match="*"), writer.url)


async def test_another_permission_is_not_enough(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        for other in (
            {"obj": "admin:agents"},
            {"obj": "admin:agents/other"},
            {"act": "list"},
            {"dom": "globex"},
            {"sub": "user:bob"},
        ):
            await gate.edge.publish(gate.parts, "policy", {"rules": [SEES, MAY | other]})
            assert _hidden(await gate.get(ORIGINAL), writer.url), other


async def test_who_may_not_see_the_agent_does_not_get_its_card_either(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, rules=[MAY]) as gate:
        there = await gate.get(ORIGINAL)
        assert _hidden(there, writer.url)
        absent = await gate.get(ORIGINAL.replace("writer", "nobody"))
        assert (absent.status, absent.headers.get("etag")) == (403, None)


async def test_an_agent_in_the_chain_must_be_allowed_too_and_so_must_the_credential(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, rules=[SEES, MAY]) as gate:
        acting = someone("user:alice", "agent:planner")
        answer = await gate.get(ORIGINAL, acting)
        assert _hidden(answer, writer.url)
        assert "agent:planner" in answer.body.decode()
        narrow = someone(scope=("agent:writer",))
        assert (await gate.get(CARD, narrow)).status == 200
        assert _hidden(await gate.get(ORIGINAL, narrow), writer.url)
        assert (await gate.get(ORIGINAL)).status == 200


async def test_nobody_gets_it_without_a_credential(tmp_path: Path) -> None:
    async with (
        agent(Echo()) as writer,
        gateway(tmp_path, writer=writer, rules=[SEES, MAY]) as gate,
        await gate.http.send("GET", gate.url + ORIGINAL) as answer,
    ):
        assert answer.status == 401
        assert writer.url.encode() not in await answer.read(65_536)


async def test_a_tenants_agent_is_nobody_elses(tmp_path: Path) -> None:
    rules = [SEES, {"sub": "*", "dom": "*", "obj": "*", "act": "*"}]
    async with agent(Echo()) as writer, gateway(tmp_path, rules=rules, section=LOCAL) as gate:
        await gate.edge.publish(gate.parts, "agents", [record("writer", writer, tenant="other")])
        assert (await gate.get(ORIGINAL, someone(tenant="other"))).status == 200
        assert _hidden(await gate.get(ORIGINAL, someone(tenant="acme")), writer.url, 404)


async def test_a_card_that_nobody_has_approved_is_not_shown(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    async with held(tmp_path, publisher, {"pin": "first_use"}) as (gate, _):
        await gate.edge.publish(gate.parts, "policy", {"rules": [SEES, MAY]})
        assert (await gate.get(ORIGINAL)).status == 200
        publisher.publish(card("evil"))
        for _ in range(2):
            assert _hidden(await gate.get(ORIGINAL), "evil")
        assert "etag" not in (await gate.get(ORIGINAL)).headers


async def test_no_other_path_leads_there(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, rules=[SEES, MAY]) as gate:
        for path in (
            "/agents/writer/card/original/tasks",
            "/agents/writer/card/original/message:send",
            "/agents/writer/v1/card/original",
            "/agents/writer/acme/card/original",
            "/agents/writer/card/Original",
            "/agents/writer/card//original",
            "/agents//card/original",
            "/agents/-/card/original",
            "/agents/writer/.well-known/agent-card.json/card/original",
            "/agents/writer/card/original/card/original",
        ):
            answer = await gate.get(path)
            assert answer.status >= 400, path
            assert writer.url not in answer.body.decode()


async def test_to_ask_for_a_skill_reveals_no_more(tmp_path: Path) -> None:
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, rules=[SEES]) as gate:
        assert _hidden(await gate.get("/agents/-/skill/talk/card/original"), writer.url)


@pytest.mark.parametrize("place", ["top", "skill"])
async def test_a_card_that_two_readers_read_in_two_ways_is_none(tmp_path: Path, place: str) -> None:
    """We would hold it to one reading, and whoever gets the bytes might take the other."""
    body = msgspec.json.encode(card())
    if place == "top":
        body = body.replace(b'{"name":', b'{"description":"does all","name":', 1)
    else:
        body = body.replace(b'"id":"write"', b'"id":"root","id":"write"', 1)

    async def twice(_: Heard, send: Send) -> None:
        await reply(send, body)

    async with scripted(twice) as writer, gateway(tmp_path, writer=writer, rules=[*ALL, MAY]) as gate:
        for path in (CARD, ORIGINAL):
            assert (await gate.get(path)).status == 502


async def test_what_an_agent_calls_its_card_is_served_as_json(tmp_path: Path) -> None:
    page: Any = card("<script>alert(1)</script>")

    async def script(_: Heard, send: Send) -> None:
        await reply(send, msgspec.json.encode(page), kind="text/html", set_cookie="a=b", location="/x")

    async with scripted(script) as writer, gateway(tmp_path, writer=writer, rules=[*ALL, MAY]) as gate:
        answer = await gate.get(ORIGINAL)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not {"set-cookie", "location"} & answer.headers.keys()
