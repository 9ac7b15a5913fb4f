"""What clients may send that is no request: each gets a clear error, in their dialect, at once."""

from typing import Any

import msgspec
import pytest

from tests.mcp_gateway.gateway import META, Gateway, stateless

SESSION = {"mcp-protocol-version": "2025-11-25"}
STATELESS = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "one__add"}


@pytest.mark.parametrize("headers", [SESSION, STATELESS])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/ca', -32700),
        (b"not json", -32700),
        (b"\xff\xfe\x00", -32700),
        (b"[" * 100_000, -32600),
        (b'{"a":' * 100_000, -32700),
        (b"7", -32600),
        (b"null", -32600),
        (b'"text"', -32600),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"a":1,"a":2}}}', -32600),
    ],
)
async def test_what_is_no_request_is_refused(
    plain: Gateway, headers: dict[str, str], body: bytes, code: int
) -> None:
    heard = await plain.send(body, headers=headers)
    assert (heard.status, heard.error["code"]) == (400, code)
    assert heard.error["message"]


@pytest.mark.parametrize("params", [[], 7, "text", True])
async def test_parameters_of_the_wrong_type_are_refused(plain: Gateway, params: Any) -> None:
    talk = await plain.begin()
    heard = await talk.gateway.send(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers=talk.headers
    )
    assert (heard.status, heard.error["code"]) == (200, -32602)
    heard = await plain.send(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers=STATELESS
    )
    assert (heard.status, heard.error["code"]) == (400, -32602)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": None}),
        ("tools/call", {"name": ["one__add"]}),
        ("tools/call", {"name": "one__add", "arguments": 7}),
        ("tools/call", {"name": "one__nothing"}),
        ("tools/call", {"name": "x" * 100_000}),
        ("prompts/get", {"name": "one__nothing"}),
        ("prompts/get", {"name": 7}),
        ("resources/read", {"uri": 7}),
        ("resources/read", {"uri": "no-server"}),
        ("completion/complete", {"ref": 7}),
        ("completion/complete", {"ref": {"type": "ref/else", "name": "x"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "one__greet", "uri": "one+x"}}),
        ("tools/list", {"cursor": "page 2"}),
    ],
)
async def test_parameters_that_mean_nothing_are_refused(plain: Gateway, method: str, params: Any) -> None:
    talk = await plain.begin()
    heard = await talk.ask(method, params)
    assert (heard.status, heard.error["code"]) == (200, -32602)
    assert heard.error["message"]
    body, headers = stateless(method, params)
    if "mcp-name" in headers and len(headers["mcp-name"]) > 1000:
        del headers["mcp-name"]
    heard = await plain.send(body, headers=headers)
    assert (heard.status, heard.error["code"] in (-32602, -32020)) == (400, True), heard.body


@pytest.mark.parametrize("version", [[], 7, None])
async def test_a_handshake_without_a_revision_is_refused(plain: Gateway, version: Any) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": version}}
    assert (await plain.send(body)).error["code"] == -32602


@pytest.mark.parametrize(
    ("given", "place"),
    [({}, "arguments: "), ({"a": "x", "b": 1}, "arguments.a: "), ({"a": 1, "b": None}, "arguments.b: ")],
)
async def test_arguments_that_the_tool_does_not_take_are_refused_with_their_place(
    plain: Gateway, given: dict[str, Any], place: str
) -> None:
    heard = await plain.call("one__add", given)
    assert (heard.status, heard.error["code"]) == (400, -32602)
    assert place in heard.error["message"]
    talk = await plain.begin()
    assert place in (await talk.call("one__add", given)).error["message"]


async def test_no_arguments_are_no_mistake(plain: Gateway) -> None:
    for params in ({"name": "one__failing"}, {"name": "one__failing", "arguments": None}):
        assert (await plain.ask("tools/call", params)).json["result"]["isError"]


@pytest.mark.parametrize("headers", [SESSION, STATELESS])
async def test_a_body_that_is_too_large_is_refused(plain: Gateway, headers: dict[str, str]) -> None:
    heard = await plain.send(b" " * 50_000_000, headers=headers)
    assert (heard.status, heard.error["code"]) == (413, -32600)
    assert "4194304" in heard.error["message"]


async def test_half_a_character_does_no_harm(plain: Gateway) -> None:
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"_meta": META}})
    body = body.replace(b'"params":{', b'"params":{"name":"one__\\ud800","arguments":{},')
    heard = await plain.send(body, headers=STATELESS | {"mcp-name": "x"})
    assert heard.status == 400
    talk = await plain.begin()
    raw = b'{"jsonrpc":"2.0","id":"\\ud800","method":"tools/call","params":{"name":"one__\\ud800"}}'
    heard = await plain.send(raw, headers=talk.headers, caller=talk.caller)
    assert heard.error["code"] in (-32600, -32602)


@pytest.mark.parametrize(
    "path", ["/", "/mcp/", "/servers", "/servers/one", "/servers//mcp", "/servers/one/mcp/x", "/x"]
)
async def test_other_paths_are_not_there(plain: Gateway, path: str) -> None:
    assert (await plain.ask("tools/list", path=path)).status == 404


@pytest.mark.parametrize("path", ["/mcp", "/servers/one/mcp", "/servers/x/mcp", "/x"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_without_a_credential_nothing_is_told(plain: Gateway, path: str, method: str) -> None:
    heard = await plain.send(b"{}", path=path, method=method, identity=False)
    assert (heard.status, heard.error["code"]) == (401, -32010)
    assert heard.headers["www-authenticate"].startswith("Bearer")
