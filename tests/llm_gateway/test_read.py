"""Bad input: a clear error in OpenAI's words, never a 500, never a call to a provider."""

from typing import Any

import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, request
from tests.support.providers import ScriptedProvider

BAD_BODIES = {
    "empty": b"",
    "truncated": b'{"model":"fast","messages":[{"role"',
    "array": b"[]",
    "string": b'"fast"',
    "null": b"null",
    "number": b"1",
    "not json": b"model=fast",
    "not utf-8": b'{"mod\xffel":"fast"}',
    "byte order mark": b'\xef\xbb\xbf{"model":"fast","messages":[]}',
    "two objects": b'{"model":"fast","messages":[]}{}',
    "doubled model": b'{"model":"fast","messages":[],"model":"other"}',
    "doubled model in disguise": b'{"model":"fast","messages":[],"mod\\u0065l":"other"}',
    "doubled stream": b'{"model":"fast","messages":[],"stream":false,"stream":true}',
    "nested too deep": b'{"model":"fast","messages":' + b"[" * 100_000,
    "half a character": b'{"model":"\\ud800","messages":[]}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_body_that_is_no_request_is_refused(
    plain: Gateway, provider: ScriptedProvider, name: str
) -> None:
    heard = await plain.hear(BAD_BODIES[name])
    assert heard.status == 400
    assert heard.error["type"] == "invalid_request_error"
    assert len(heard.error["message"]) > 10
    row = await plain.service.row()
    assert (row.outcome, row.reason, row.status) == (Outcome.REFUSED, "invalid", 400)
    assert provider.calls == []


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": "hi"}, "messages"),
        ({"model": 5}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": -5}, "max_tokens"),
        ({"n": 0}, "n"),
    ],
    ids=str,
)
async def test_a_wrong_type_is_refused_with_its_param(
    plain: Gateway, members: dict[str, Any], param: str
) -> None:
    heard = await plain.ask(**members)
    assert (heard.status, heard.error["param"]) == (400, param)


async def test_a_body_of_50_megabytes_is_refused_and_the_connection_survives(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    heard = await plain.hear(b'{"model":"fast","messages":[' + b" " * 50_000_000 + b"]}")
    assert (heard.status, heard.error["code"]) == (413, "request_too_large")
    assert (await plain.ask()).status == 200
    assert len(provider.calls) == 1


async def test_the_largest_body_is_the_configured_one(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, max_body_bytes=1_000) as gateway:
        assert (await gateway.ask(user="x" * 990)).status == 413
        assert (await gateway.ask(user="x" * 700)).status == 200


async def test_other_methods_are_refused_by_name(plain: Gateway) -> None:
    heard = await plain.hear(request(), method="PUT")
    assert (heard.status, heard.error["code"]) == (405, "method_not_allowed")


async def test_what_we_do_not_know_goes_on_unread(plain: Gateway, provider: ScriptedProvider) -> None:
    more: dict[str, Any] = {"messages": [{"role": "alien", "parts": [None, 1.5]}], "x_future": {"a": [1]}}
    assert (await plain.ask(**more)).status == 200
    assert provider.last.json["x_future"] == {"a": [1]}
