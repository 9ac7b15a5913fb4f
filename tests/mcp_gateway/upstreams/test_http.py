"""Servers over HTTP that do what they should not, and what their clients hear of it."""

import asyncio
from typing import Any

import pytest

from mcp_gateway.upstreams import http as http_upstream
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http
from tests.support.mcp_rogue import Rogue
from tests.support.serve import someone
from tests.support.wait import SECONDS, eventually

Server = tuple[Rogue, str]
PATH = "/servers/r/mcp"


@pytest.fixture(params=["stateless", "session"])
def either(request: pytest.FixtureRequest, rogue: Server, legacy_rogue: Server) -> Server:
    """The same server, once of each era."""
    return rogue if request.param == "stateless" else legacy_rogue


@pytest.mark.parametrize(
    ("tool", "code", "text"),
    [
        ("garbage", -32014, "no JSON-RPC"),
        ("page", -32014, "no JSON-RPC"),
        ("wrong_id", -32014, "another request"),
        ("list_result", -32014, "no object"),
        ("text_error", -32014, "something unreadable"),
        ("bad_flag", -32014, "something unreadable"),
        ("deep", -32014, "no JSON-RPC"),
        ("cut", -32014, "before it was complete"),
        ("busy", -32014, "HTTP status 429"),
        ("crash", -32014, "HTTP status 500"),
        ("moved", -32014, "HTTP status 307"),
        ("never", -32014, "said nothing"),
        ("huge", -32014, "larger than"),
    ],
)
async def test_a_server_that_fails_fails_clearly(
    opened: Open, either: Server, tool: str, code: int, text: str
) -> None:
    server = http(either[1]) | {"timeout_seconds": 1 if tool == "never" else 20}
    async with opened({"r": server}, max_result_bytes=1_000_000) as gateway:
        heard = await gateway.call(tool, path=PATH)
        assert heard.status == 200
        assert (heard.error["code"], text in heard.error["message"]) == (code, True), heard.error
        assert "secret" not in heard.body.decode()
        [row] = [row for row in await gateway.service.rows(1) if row.tool]
        assert (row.outcome, row.tool, row.reason[:8]) == ("failed", f"r/{tool}", "upstream")
        assert (await gateway.call("fine", path=PATH)).text == "fine"


async def test_a_server_that_is_busy_says_until_when(opened: Open, either: Server) -> None:
    async with opened({"r": http(either[1])}) as gateway:
        heard = await gateway.call("busy", path=PATH)
        assert heard.headers["retry-after"] == "7"
        assert heard.error["data"]["retry_after"] == 7


async def test_a_server_that_goes_silent_ends_the_stream_with_an_error(opened: Open, either: Server) -> None:
    async with opened({"r": http(either[1]) | {"timeout_seconds": 1}}) as gateway:
        params = {"name": "silent", "arguments": {}, "_meta": {"progressToken": "p"}}
        heard = await gateway.ask("tools/call", params, path=PATH)
        note, last = heard.events
        assert note["params"] == {"progressToken": "p", "progress": 1}
        assert (last["id"], last["error"]["code"]) == (1, -32014)
        [row] = [row for row in await gateway.service.rows(1) if row.tool]
        assert row.outcome == "broken"
        await eventually(either[0].left.is_set, "the server was left")


async def test_a_servers_own_error_goes_on_in_a_code_of_the_clients_era(opened: Open, either: Server) -> None:
    async with opened({"r": http(either[1])}) as gateway:
        heard = await gateway.call("own_error", path=PATH)
        assert heard.status == 400
        assert heard.error == {"code": -32602, "message": "the server's own words", "data": {"why": 7}}
        talk = await gateway.begin(path=PATH)
        heard = await talk.call("own_error")
        assert (heard.status, heard.error["code"]) == (200, -32002)
        row = (await gateway.service.rows(3))[-1]
        assert (row.outcome, row.reason, row.detail) == (
            "failed",
            "upstream_refused",
            "-32002 the server's own words",
        )


async def test_a_client_that_leaves_ends_the_call_at_the_server(opened: Open, either: Server) -> None:
    server, url = either
    async with opened({"r": http(url)}) as gateway:
        calling = asyncio.create_task(gateway.call("never", path=PATH))
        await eventually(server.reached.is_set, "the call arrived")
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await eventually(server.left.is_set, "the server was left")
        if server.legacy:

            def cancelled() -> list[Any]:
                said = [told for told in server.notifications if told["method"] == "notifications/cancelled"]
                return [told["params"]["requestId"] for told in said]

            await eventually(cancelled, "the server was told")
            assert cancelled() == [server.calls[-1]["id"]]

        async def client_gone() -> bool:
            return any(row.outcome == "client_gone" for row in await gateway.service.rows(1))

        await eventually(client_gone, "the row")


async def test_a_server_that_asks_its_client_is_answered(opened: Open, legacy_rogue: Server) -> None:
    async with opened({"r": http(legacy_rogue[1])}) as gateway:
        heard = await gateway.call("asks", path=PATH)
        assert "-32601" in heard.text
        assert legacy_rogue[0].answers[0]["id"] == "q1"


async def test_each_principal_has_its_own_session(
    opened: Open, legacy_rogue: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may take longer than a gateway that stops would.
    monkeypatch.setattr(http_upstream, "_FAREWELL_SECONDS", SECONDS)
    server, url = legacy_rogue

    def used() -> list[str]:
        return [headers["mcp-session-id"] for headers in server.headers]

    async with opened({"r": http(url)}) as gateway:
        for sub in ("user:a", "user:b", "user:a"):
            assert (await gateway.call("fine", path=PATH, caller=someone(sub))).text == "fine"
        assert (await gateway.call("fine", path=PATH, caller=someone("user:a", "agent:p"))).text == "fine"
        first, second, third, fourth = used()
        assert first == third
        assert len({first, second, fourth}) == 3
    assert set(used()) <= set(server.ended)


async def test_a_session_that_the_server_has_forgotten_is_begun_anew(
    opened: Open, legacy_rogue: Server
) -> None:
    server, url = legacy_rogue
    async with opened({"r": http(url)}) as gateway:
        assert (await gateway.call("fine", path=PATH)).text == "fine"
        server.sessions[:] = ["another"]
        assert (await gateway.call("fine", path=PATH)).text == "fine"
        assert len(server.calls) == 2


async def test_a_server_that_is_not_there_does_not_hide_the_others(opened: Open, rogue: Server) -> None:
    servers = {"gone": http("http://127.0.0.1:1"), "r": http(rogue[1])}
    async with opened(servers) as gateway:
        assert "r__fine" in await gateway.tools()
        assert (await gateway.call("r__fine")).text == "fine"
        heard = await gateway.ask("tools/list", path="/servers/gone/mcp")
        assert (heard.error["code"], "cannot be reached" in heard.error["message"]) == (-32014, True)
        heard = await gateway.call("gone__x")
        assert (heard.error["code"], "cannot be reached" in heard.error["message"]) == (-32014, True)


async def test_nothing_of_the_caller_goes_up_but_what_is_meant_to(opened: Open, rogue: Server) -> None:
    server: dict[str, Any] = http(rogue[1], headers={"X-Api-Key": "${KEY}"})
    sent = {"x-evil": "1", "cookie": "a=b", "authorization": "Bearer caller", "x-forwarded-for": "1.2.3.4"}
    async with opened({"r": server}, environ={"KEY": "upstream-secret"}) as gateway:
        await gateway.call("fine", path=PATH, headers=sent)
    [headers] = rogue[0].headers
    assert headers["x-api-key"] == "upstream-secret"
    assert set(headers) == {
        *("host", "content-type", "accept", "content-length", "x-api-key"),
        *("mcp-protocol-version", "mcp-method", "mcp-name", "traceparent"),
    }


async def test_links_in_results_can_be_followed_where_they_were_given(opened: Open, rogue: Server) -> None:
    async with opened({"r": http(rogue[1])}) as gateway:
        merged = (await gateway.call("r__links")).json["result"]["content"]
        own = (await gateway.call("links", path=PATH)).json["result"]["content"]
    assert [merged[0]["uri"], merged[1]["resource"]["uri"]] == ["r+file:///a", "r+file:///b"]
    assert [own[0]["uri"], own[1]["resource"]["uri"]] == ["file:///a", "file:///b"]


async def test_a_call_that_was_answered_is_not_cancelled(opened: Open, legacy_rogue: Server) -> None:
    async with opened({"r": http(legacy_rogue[1])}) as gateway:
        await gateway.tools(path=PATH)
        assert (await gateway.call("fine", path=PATH)).text == "fine"
    assert {told["method"] for told in legacy_rogue[0].notifications} == {"notifications/initialized"}
