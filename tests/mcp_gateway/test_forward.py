"""What goes on to the client while a server works, and what does not."""

import json

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import META, http, stateless
from tests.support.mcp_rogue import Rogue
from tests.support.wait import eventually

Server = tuple[Rogue, str]


async def test_a_client_that_waits_long_hears_that_it_is_not_forgotten(
    opened: Open, rogue: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_gateway.reply._PULSE_SECONDS", 0.02)
    async with opened({"r": http(rogue[1])}) as gateway:
        body, headers = stateless("tools/call", {"name": "r__never", "arguments": {}})
        async with await gateway.open(body, headers=headers) as reply:
            assert (reply.header("content-type") or "").startswith("text/event-stream")
            chunks, said = reply.chunks(), b""
            while said.count(b": still working") < 2:
                said += await anext(chunks)
            await gateway.edge.kill(gateway.service.parts, server="r")
            rest = b"".join([chunk async for chunk in chunks])
        assert b'"code":-32012' in rest


async def test_a_client_that_reads_no_streams_gets_the_answer_alone(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}) as gateway:
        params = {"name": "one__slow", "arguments": {"steps": 2}, "_meta": {"progressToken": 1}}
        heard = await gateway.ask("tools/call", params, headers={"accept": "application/json"})
        assert (heard.headers["content-type"], heard.text) == ("application/json", "done")


async def test_notes_that_are_none_are_dropped(opened: Open, rogue: Server) -> None:
    async with opened({"r": http(rogue[1])}) as gateway:
        level = {"io.modelcontextprotocol/logLevel": "debug"}
        params = {"name": "r__bad_notes", "arguments": {}, "_meta": META | level | {"progressToken": 1}}
        heard = await gateway.ask("tools/call", params)
        last = heard.events[-1] if "event-stream" in heard.headers["content-type"] else heard.json
        assert last["result"]["content"][0]["text"] == "fine"


async def test_a_question_goes_through_between_two_of_the_stateless_era(opened: Open, rogue: Server) -> None:
    async with opened({"r": http(rogue[1])}) as gateway:
        asked = (await gateway.call("r__wants_input")).json["result"]
        assert (asked["resultType"], asked["inputRequests"]["q"]["params"]) == (
            "input_required",
            {"message": "sure?"},
        )
        again = {"name": "r__wants_input", "arguments": {}, "inputResponses": {"q": {"action": "accept"}}}
        heard = await gateway.ask("tools/call", again | {"requestState": asked["requestState"]})
        assert json.loads(heard.text) == [{"q": {"action": "accept"}}, "sealed"]


async def test_a_question_to_a_client_that_cannot_answer_it_is_an_error(opened: Open, rogue: Server) -> None:
    async with opened({"r": http(rogue[1])}) as gateway:
        talk = await gateway.begin()
        heard = await talk.call("r__wants_input")
        assert (heard.status, heard.error["code"]) == (200, -32014)
        capabilities = rogue[0].calls[-1]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
        assert capabilities == {}


async def test_a_client_may_name_its_request_as_it_likes(opened: Open, rogue: Server) -> None:
    async with opened({"r": http(rogue[1])}) as gateway:
        talk = await gateway.begin()
        for request_id in (0, -1, "a", "", "9" * 50, 2**60, 1.5):
            body = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": {"name": "r__fine"}}
            heard = await gateway.send(body, headers=talk.headers)
            assert heard.json["id"] == request_id
        await eventually(lambda: len(rogue[0].calls) == 7)
        assert len({call["id"] for call in rogue[0].calls}) == 7
