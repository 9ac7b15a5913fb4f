"""Questions and their answers at different replicas, and whose they are."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.http_client import Reply
from shared.sse import SseSplitter, data_of
from shared.valkey import EmbeddedValkey
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import META, Gateway, Talk, http
from tests.mcp_gateway.replicas import replica_of
from tests.support.mcp_everything import everything_app
from tests.support.mcp_rogue import Rogue
from tests.support.serve import serving, someone
from tests.support.wait import SECONDS, eventually

PATH = "/servers/e/mcp"
ASKS = "test_input_required_result_elicitation"
CAPABILITIES: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}}
STATED = META | {"io.modelcontextprotocol/clientCapabilities": CAPABILITIES}
GIVEN = {"action": "accept", "content": {"name": "Bo"}}
Pair = tuple[Gateway, Gateway]


@pytest.fixture
async def pair(opened: Open, tmp_path: Path, valkey: EmbeddedValkey) -> AsyncIterator[Pair]:
    """Two replicas before a server of the session era."""
    async with serving(everything_app("session")) as url:
        servers = {"e": http(url)}
        async with (
            opened(servers) as first,
            replica_of(first, tmp_path / "second", valkey.url, servers) as second,
        ):
            yield first, second


async def asked(gateway: Gateway, tool: str = ASKS, **more: Any) -> dict[str, Any]:
    """The parameters of the call that goes on with the answers to what was asked."""
    params = {"name": tool, "arguments": {}, "_meta": STATED}
    heard = await gateway.ask("tools/call", params, path=PATH, **more)
    result = heard.json["result"]
    assert result["resultType"] == "input_required", heard.body
    answers = dict.fromkeys(result["inputRequests"], GIVEN)
    return params | {"inputResponses": answers, "requestState": result["requestState"]}


@pytest.mark.parametrize("place", [0, 1])
async def test_a_call_goes_on_wherever_its_answers_come_in(pair: Pair, place: int) -> None:
    again = await asked(pair[0])
    heard = await pair[place].ask("tools/call", again, path=PATH)
    assert "Bo" in heard.text
    spent = await pair[1 - place].ask("tools/call", again, path=PATH)
    assert spent.error["code"] == -32602


@pytest.mark.parametrize("place", [0, 1])
async def test_a_call_that_lacks_an_answer_asks_again(pair: Pair, place: int) -> None:
    again = await asked(pair[0])
    heard = await pair[place].ask("tools/call", again | {"inputResponses": {"other": GIVEN}}, path=PATH)
    result = heard.json["result"]
    assert result["inputRequests"].keys() == again["inputResponses"].keys()
    more = again | {"requestState": result["requestState"]}
    assert "Bo" in (await pair[1 - place].ask("tools/call", more, path=PATH)).text


@pytest.mark.parametrize("place", [0, 1])
async def test_guards_see_what_is_asked_next_wherever_the_call_waits(
    opened: Open, tmp_path: Path, valkey: EmbeddedValkey, place: int
) -> None:
    words = {"kind": "regex", "name": "words", "patterns": [{"name": "colour", "pattern": "color"}]}
    async with serving(everything_app("session")) as url:
        servers, guards = {"e": http(url)}, [words | {"action": "redact"}]
        async with (
            opened(servers, guards=guards) as first,
            replica_of(first, tmp_path / "second", valkey.url, servers, guards=guards) as second,
        ):
            again = await asked(first, "test_input_required_result_multi_round")
            heard = await (first, second)[place].ask("tools/call", again, path=PATH)
    assert b"favorite" in heard.body
    assert b"color?" not in heard.body


@pytest.mark.parametrize("place", [0, 1])
async def test_a_client_is_not_asked_what_it_cannot_answer_wherever_the_call_waits(
    pair: Pair, place: int
) -> None:
    again = await asked(pair[0], "test_input_required_result_multi_round")
    heard = await pair[place].ask("tools/call", again | {"_meta": META}, path=PATH)
    assert b"favorite" not in heard.body


async def test_what_a_client_holds_is_good_for_itself_and_its_call_only(pair: Pair) -> None:
    again = await asked(pair[0])
    for wrong, caller in (
        (again, someone("user:bob")),
        (again, someone("user:alice", tenant="other")),
        (again, someone("user:alice", "agent:planner")),
        (again | {"arguments": {"x": 1}}, someone()),
        (again | {"name": "test_simple_text"}, someone()),
        (again | {"requestState": again["requestState"][:-1]}, someone()),
        (again | {"requestState": 7}, someone()),
    ):
        heard = await pair[1].ask("tools/call", wrong, path=PATH, caller=caller)
        assert heard.error["code"] == -32602, heard.body
    assert "Bo" in (await pair[1].ask("tools/call", again, path=PATH)).text


async def test_a_call_that_waits_at_a_replica_that_is_gone_is_not_run_twice(
    opened: Open, tmp_path: Path, valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_gateway.questions.elsewhere._TAKEN_SECONDS", 0.2)
    async with serving(everything_app("session")) as url:
        servers = {"e": http(url)}
        async with opened(servers) as first:
            async with replica_of(first, tmp_path / "second", valkey.url, servers) as second:
                again = await asked(second)
            heard = await first.ask("tools/call", again, path=PATH)
            assert "is over" in heard.error["message"]


async def test_a_killed_call_does_not_wait_for_its_answers(pair: Pair) -> None:
    first, _ = pair
    again = await asked(first)
    await first.edge.kill(first.service.parts, server="e")
    assert (await first.ask("tools/call", again, path=PATH)).status == 403
    await first.edge.kill(first.service.parts)
    assert "is over" in (await first.ask("tools/call", again, path=PATH)).error["message"]


async def begin(gateway: Gateway, path: str = PATH) -> Talk:
    """A session of a client that can be asked."""
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": CAPABILITIES,
        "clientInfo": {"name": "t", "version": "0"},
    }
    hello = await gateway.send(
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}, path=path
    )
    return Talk(gateway, someone(), path, hello)


async def messages(reply: Reply) -> AsyncGenerator[dict[str, Any], None]:
    """What comes on a stream, as it comes."""
    splitter = SseSplitter()
    async for chunk in reply.chunks():
        for event in splitter.feed(chunk):
            if data := data_of(event):
                yield msgspec.json.decode(data)


async def test_an_answer_is_taken_at_any_replica_from_its_own_session_only(pair: Pair) -> None:
    first, second = pair
    talk, other = await begin(first), await begin(second)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": ASKS, "arguments": {}}}
    async with (
        await first.open(call, path=PATH, headers=talk.headers) as reply,
        contextlib.aclosing(messages(reply)) as said,
    ):
        question = await anext(said)
        assert question["method"] == "elicitation/create"
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": GIVEN}
        foreign = await second.send(answer, path=PATH, headers=other.headers)
        made_up = await second.send(answer | {"id": "x" * 22}, path=PATH, headers=talk.headers)
        assert (foreign.status, made_up.status) == (400, 400)
        assert (await second.send(answer, path=PATH, headers=talk.headers)).status == 202
        last = await anext(said)
        assert "Bo" in last["result"]["content"][0]["text"]
        assert (await second.send(answer, path=PATH, headers=talk.headers)).status == 400


async def test_a_call_is_cancelled_at_any_replica(
    opened: Open, rogue: tuple[Rogue, str], tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    server, url = rogue
    servers = {"r": http(url)}
    async with (
        opened(servers) as first,
        replica_of(first, tmp_path / "second", valkey.url, servers) as second,
    ):
        talk = await first.begin()
        calling = asyncio.create_task(talk.call("r__never"))
        await eventually(server.reached.is_set, "the call arrived")
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        assert (await second.send(note, headers=talk.headers)).status == 202
        async with asyncio.timeout(SECONDS):
            assert b"cancelled" in (await calling).body
        await eventually(server.left.is_set, "the server was left")
