"""The session era on the wire: handshakes, and sessions that are useful to nobody but whoever began them."""

import asyncio
from typing import Any

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, http
from tests.support.mcp_rogue import Rogue
from tests.support.mcp_servers import Seen
from tests.support.serve import someone
from tests.support.wait import SECONDS, eventually


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
    ],
)
async def test_a_handshake_settles_on_a_revision(plain: Gateway, asked: str, answered: str) -> None:
    talk = await plain.begin(version=asked)
    result = talk.hello.json["result"]
    assert result["protocolVersion"] == answered
    assert set(result["capabilities"]) == {"tools", "prompts", "resources", "completions"}
    assert "resultType" not in result
    assert len(talk.id) >= 32


async def test_a_session_serves_its_owner_in_one_chain_after_another(plain: Gateway) -> None:
    talk = await plain.begin()
    for _ in range(2):
        assert (await talk.call("one__echo", {"text": "hi"}, caller=someone())).text == "one: hi"


@pytest.mark.parametrize(
    "stranger",
    [
        someone("user:bob"),
        someone("user:alice", tenant="other"),
        someone("user:alice", "agent:planner"),
    ],
)
async def test_a_session_of_somebody_else_is_no_session(plain: Gateway, stranger: Any) -> None:
    talk = await plain.begin()
    stolen = await talk.call("one__echo", {"text": "hi"}, caller=stranger)
    unknown = await talk.call(
        "one__echo", {"text": "hi"}, caller=stranger, headers={"mcp-session-id": "x" * len(talk.id)}
    )
    assert (stolen.status, unknown.status) == (404, 404)
    assert stolen.error["message"] == unknown.error["message"]
    assert stolen.error["code"] == unknown.error["code"]


async def test_a_session_belongs_to_the_endpoint_where_it_was_begun(plain: Gateway) -> None:
    talk = await plain.begin()
    assert (await talk.ask("tools/list", path="/servers/one/mcp")).status == 404


async def test_without_a_session_nothing_but_the_handshake_is_answered(plain: Gateway) -> None:
    for method in ("tools/list", "ping", "server/discover"):
        body = {"jsonrpc": "2.0", "id": 1, "method": method}
        assert (await plain.send(body)).status == 400
    assert (await plain.send({"jsonrpc": "2.0", "method": "notifications/initialized"})).status == 400


async def test_a_session_ends_when_its_owner_says_so(plain: Gateway) -> None:
    talk = await plain.begin()
    foreign = await plain.send(method="DELETE", headers=talk.headers, caller=someone("user:bob"))
    assert foreign.status == 404
    ended = await plain.send(method="DELETE", headers=talk.headers, caller=talk.caller)
    assert (ended.status, ended.body) == (200, b"")
    assert (await talk.ask("tools/list")).status == 404


async def test_the_small_talk_is_answered_here(plain: Gateway) -> None:
    talk = await plain.begin()
    assert (await talk.ask("ping")).json["result"] == {}
    assert (await talk.tell("notifications/initialized")).status == 202
    other = await plain.send(method="PUT", headers=talk.headers, caller=talk.caller)
    assert (other.status, other.headers["allow"]) == (405, "GET, POST, DELETE")


async def test_results_hold_nothing_of_the_other_era(opened: Open, one: str) -> None:
    async with opened({"one": http(one, era="stateless")}) as gateway:
        talk = await gateway.begin(path="/servers/one/mcp")
        for heard in (
            await talk.ask("tools/list"),
            await talk.call("echo", {"text": "hi"}),
            await talk.ask("resources/read", {"uri": "note://today"}),
        ):
            assert not {"resultType", "ttlMs", "cacheScope"} & set(heard.json["result"])


async def test_a_client_chooses_from_which_level_on_it_hears_logs(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}) as gateway:
        talk = await gateway.begin()
        assert (await talk.ask("logging/setLevel", {"level": "loud"})).error["code"] == -32602
        assert (await talk.ask("logging/setLevel", {"level": "error"})).json["result"] == {}
        assert (await talk.call("one__slow", {"steps": 2})).text == "done"
        await talk.ask("logging/setLevel", {"level": "info"})
        heard = (await talk.call("one__slow", {"steps": 2})).events
        assert [message["params"]["data"] for message in heard[:-1]] == ["log 1", "log 2"]


@pytest.mark.parametrize("era", ["session", "stateless"])
async def test_a_call_that_its_client_cancels_ends_here_and_at_the_server(
    opened: Open, one: str, seen: Seen, era: str
) -> None:
    async with opened({"one": http(one, era=era)}) as gateway:
        talk = await gateway.begin()
        calling = asyncio.create_task(talk.call("one__forever"))
        await eventually(seen.started.is_set, "the call arrived")
        assert (await talk.tell("notifications/cancelled", {"requestId": 99})).status == 202
        assert (await talk.tell("notifications/cancelled", {"requestId": 1})).status == 202
        async with asyncio.timeout(SECONDS):
            heard = await calling
        assert b"cancelled" in heard.body
        await eventually(seen.cancelled.is_set, "the server stopped")


async def test_nobody_cancels_the_call_of_another_session(opened: Open, rogue: tuple[Rogue, str]) -> None:
    server, url = rogue
    async with opened({"r": http(url)}) as gateway:
        talk, other = await gateway.begin(), await gateway.begin(someone("user:bob"))
        calling = asyncio.create_task(talk.call("r__never"))
        await eventually(server.reached.is_set, "the call arrived")
        await other.tell("notifications/cancelled", {"requestId": 1})
        assert not server.left.is_set()
        await talk.tell("notifications/cancelled", {"requestId": 1})
        async with asyncio.timeout(SECONDS):
            await calling
