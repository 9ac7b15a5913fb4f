"""Where guards look in calls and answers: everything that is text, and nothing else is touched."""

from typing import Any

import msgspec

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http
from tests.support.mcp_telling import MAIL, Telling

PII: dict[str, Any] = {"kind": "pii", "name": "pii"}
BOMB: dict[str, Any] = {
    "kind": "regex",
    "name": "words",
    "patterns": [{"name": "bomb", "pattern": "(?i)bomb"}],
}


async def test_bytes_that_no_guard_changes_pass_as_they_are(
    opened: Open, telling: tuple[Telling, str]
) -> None:
    server, url = telling
    server.result = b'{"content" : [{"type":"text",  "text":"caf\\u00e9"}], "n":1.0e1 }'
    async with opened({"one": http(url)}, guards=[PII, BOMB]) as gateway:
        heard = await gateway.call("say", path="/servers/one/mcp")
    assert server.result[1:] in heard.body


async def test_a_key_that_stands_twice_hides_nothing(opened: Open, telling: tuple[Telling, str]) -> None:
    server, url = telling
    server.result = b'{"content":[{"type":"text","text":"a bomb","text":"fine"}]}'
    async with opened({"one": http(url)}, guards=[BOMB]) as gateway:
        heard = await gateway.call("one__say")
    assert heard.error["code"] == -32014
    assert b"a bomb" not in heard.body


async def test_what_lies_deep_is_rewritten_where_it_lies(opened: Open, telling: tuple[Telling, str]) -> None:
    server, url = telling
    deep: Any = {"mail": MAIL}
    for _ in range(50):
        deep = [deep]
    server.result = msgspec.json.encode({"content": [], "structuredContent": {"deep": deep}})
    async with opened({"one": http(url)}, guards=[PII]) as gateway:
        heard = await gateway.call("one__say", {"deep": deep})
    wanted = msgspec.json.encode(deep).replace(MAIL.encode(), b"[EMAIL]")
    assert msgspec.json.encode(heard.json["result"]["structuredContent"]["deep"]) == wanted
    assert msgspec.json.encode(server.calls[0]["params"]["arguments"]["deep"]) == wanted


async def test_a_servers_own_error_is_looked_at(opened: Open, telling: tuple[Telling, str]) -> None:
    async with opened({"one": http(telling[1])}, guards=[PII]) as gateway:
        heard = await gateway.call("one__fail")
    assert heard.error["message"] == "ask [EMAIL]"
    assert heard.error["data"] == {"who": "[EMAIL]"}


async def test_files_are_held_to_types_and_sizes(opened: Open, telling: tuple[Telling, str]) -> None:
    server, url = telling
    files = {"kind": "files", "name": "files", "types": ["image/*"], "max_bytes": 6}
    async with opened({"one": http(url)}, guards=[files]) as gateway:
        for kind, data, passes in (
            (b"image/png", b"aGFsbG8=", True),
            (b"image/png", b"aGFsbG8gd29ybGQ=", False),
            (b"audio/wav", b"aGFsbG8=", False),
        ):
            server.result = b'{"content":[{"type":"image","mimeType":"%s","data":"%s"}]}' % (kind, data)
            heard = await gateway.call("one__say")
            assert heard.json["result"].get("isError", False) is not passes


async def test_prompts_and_resources_are_looked_at_too(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}, guards=[BOMB | {"on": ["reply"]}, PII]) as gateway:
        prompt = await gateway.ask("prompts/get", {"name": "one__greet", "arguments": {"who": MAIL}})
        assert prompt.json["result"]["messages"][0]["content"]["text"] == "Greet [EMAIL] from one."
        read = await gateway.ask("resources/read", {"uri": "one+note://of/bomb"})
    assert (read.status, read.error["code"]) == (403, -32011)


async def test_arguments_reach_the_server_rewritten_in_place(
    opened: Open, telling: tuple[Telling, str]
) -> None:
    server, url = telling
    arguments = {"to": [{"mail": MAIL, MAIL: 1}], "card": 4111111111111111, "note": "hello"}
    async with opened({"one": http(url)}, guards=[PII]) as gateway:
        await gateway.call("one__fine", arguments)
    sent = server.calls[0]["params"]
    assert sent["arguments"] == {
        "to": [{"mail": "[EMAIL]", "[EMAIL]": 1}],
        "card": "[CREDIT_CARD]",
        "note": "hello",
    }
    assert sent["name"] == "fine"
