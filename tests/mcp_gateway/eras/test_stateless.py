"""The stateless era on the wire: what a request must say twice, and how results look."""

from typing import Any

import msgspec
import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import META, Gateway, http, stateless
from tests.support.mcp_rogue import Rogue

PATHS = ("/mcp", "/servers/one/mcp")


async def _changed(gateway: Gateway, params: dict[str, Any], **headers: str | None) -> Any:
    body, own = stateless("tools/call", {"name": "one__echo", "arguments": {"text": "hi"}})
    body["params"] |= params
    own |= {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    for name in (name.replace("_", "-") for name, value in headers.items() if value is None):
        del own[name]
    return await gateway.send(body, headers=own)


@pytest.mark.parametrize(
    ("params", "headers", "code"),
    [
        ({}, {"mcp_method": "tools/list"}, -32020),
        ({}, {"mcp_method": None}, -32020),
        ({}, {"mcp_name": "one__add"}, -32020),
        ({}, {"mcp_name": None}, -32020),
        ({}, {"mcp_name": "=?base64?broken?="}, -32020),
        ({}, {"mcp_protocol_version": "2099-01-01"}, -32020),
        ({}, {"mcp_protocol_version": None}, -32020),
        ({"_meta": {}}, {}, -32602),
        ({"_meta": None}, {}, -32602),
        ({"_meta": []}, {}, -32602),
        ({"_meta": META | {"io.modelcontextprotocol/clientCapabilities": []}}, {}, -32602),
        ({"_meta": META | {"io.modelcontextprotocol/protocolVersion": 7}}, {}, -32602),
        ({"_meta": META | {"io.modelcontextprotocol/logLevel": "loud"}}, {}, -32602),
        ({"_meta": META | {"progressToken": {}}}, {}, -32602),
        ({"_meta": {key: value for key, value in META.items() if "Version" in key}}, {}, -32602),
        ({"name": 7}, {}, -32602),
        ({"name": ""}, {"mcp_name": ""}, -32602),
        ({"arguments": [1]}, {}, -32602),
        ({"arguments": "text"}, {}, -32602),
    ],
)
async def test_a_request_that_contradicts_itself_is_refused(
    plain: Gateway, params: dict[str, Any], headers: dict[str, Any], code: int
) -> None:
    heard = await _changed(plain, params, **headers)
    assert (heard.status, heard.error["code"], heard.json["id"]) == (400, code, 1)


async def test_a_name_may_be_written_in_base64(plain: Gateway) -> None:
    heard = await _changed(plain, {}, mcp_name="=?base64?b25lX19lY2hv?=")
    assert heard.text == "one: hi"


async def test_a_header_that_stands_twice_is_refused(plain: Gateway) -> None:
    body, headers = stateless("tools/list")
    pairs = [*headers.items(), ("mcp-method", "tools/list"), *plain.identity().items()]
    raw = msgspec.json.encode(body)
    async with await plain.http.send("POST", plain.service.url + "/mcp", headers=pairs, body=raw) as reply:
        assert reply.status == 400
        assert b"-32020" in await reply.read(10_000)


async def test_an_unknown_version_is_told_the_known_ones(plain: Gateway) -> None:
    meta = META | {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    heard = await _changed(plain, {"_meta": meta}, mcp_protocol_version="2099-01-01")
    assert (heard.status, heard.error["code"]) == (400, -32022)
    assert heard.error["data"]["requested"] == "2099-01-01"
    assert {"2026-07-28", "2025-11-25"} <= set(heard.error["data"]["supported"])


@pytest.mark.parametrize("path", PATHS)
async def test_discover_presents_what_is_here(plain: Gateway, path: str) -> None:
    result = (await plain.ask("server/discover", path=path)).json["result"]
    assert result["supportedVersions"][0] == "2026-07-28"
    assert set(result["capabilities"]) == {"tools", "prompts", "resources", "completions"}
    assert (result["resultType"], result["cacheScope"], result["ttlMs"]) == ("complete", "private", 60_000)
    info = result["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert info["name"] == ("gatestack" if path == "/mcp" else "one")
    assert "This is one." in result["instructions"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]
)
async def test_lists_are_private_to_the_caller(plain: Gateway, path: str, method: str) -> None:
    result = (await plain.ask(method, path=path)).json["result"]
    assert (result["resultType"], result["cacheScope"]) == ("complete", "private")
    assert result["ttlMs"] > 0


async def test_a_result_of_a_server_with_sessions_gets_what_it_lacks(
    opened: Open, legacy_rogue: tuple[Rogue, str]
) -> None:
    async with opened({"r": http(legacy_rogue[1])}) as gateway:
        result = (await gateway.call("r__fine")).json["result"]
    assert result == {"resultType": "complete", "content": [{"type": "text", "text": "fine"}]}


@pytest.mark.parametrize(
    "method", ["initialize", "ping", "logging/setLevel", "sampling/createMessage", "x/y"]
)
async def test_what_this_era_does_not_know_is_not_found(plain: Gateway, method: str) -> None:
    heard = await plain.ask(method)
    assert (heard.status, heard.error["code"]) == (404, -32601)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_only_posts_are_served(plain: Gateway, method: str) -> None:
    heard = await plain.send(method=method, headers={"mcp-protocol-version": "2026-07-28"})
    assert (heard.status, heard.headers["allow"]) == (405, "POST")


async def test_a_notification_is_taken_and_an_answer_is_not(plain: Gateway) -> None:
    headers = {"mcp-protocol-version": "2026-07-28"}
    taken = await plain.send({"jsonrpc": "2.0", "method": "notifications/x"}, headers=headers)
    assert (taken.status, taken.body) == (202, b"")
    refused = await plain.send({"jsonrpc": "2.0", "id": 1, "result": {}}, headers=headers)
    assert (refused.status, refused.error["code"]) == (400, -32600)


async def test_no_session_is_ever_begun(plain: Gateway) -> None:
    heard = await plain.ask("tools/list", headers={"mcp-session-id": "whatever"})
    assert heard.status == 200
    assert "mcp-session-id" not in heard.headers


async def test_mirrored_arguments_are_compared_and_written_anew(
    opened: Open, rogue: tuple[Rogue, str]
) -> None:
    server, url = rogue
    async with opened({"r": http(url)}) as gateway:
        good = await gateway.call("r__mirrored", {"region": "eu"}, headers={"mcp-param-region": "eu"})
        assert good.status == 200
        wrong = await gateway.call("r__mirrored", {"region": "eu"}, headers={"mcp-param-region": "us"})
        assert (wrong.status, wrong.error["code"]) == (400, -32020)
        missing = await gateway.call("r__mirrored", {"region": "eu"})
        assert (missing.status, missing.error["code"]) == (400, -32020)
        talk = await gateway.begin()
        assert (await talk.call("r__mirrored", {"region": "us"})).text == "fine"
    assert [headers["mcp-param-region"] for headers in server.headers] == ["eu", "us"]
