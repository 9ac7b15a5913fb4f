"""That a body with more values than anybody could mean is refused before it keeps the others waiting."""

import msgspec
import pytest

from llm_gateway import members
from llm_gateway.weight import MOST_VALUES, refuse_heavy
from shared.errors import BadRequest, TooLarge
from tests.llm_gateway.gateway import Gateway
from tests.support.providers import ScriptedProvider

HEAVY = {
    "numbers": b'{"a":[' + b",".join([b"1"] * (MOST_VALUES + 1)) + b"]}",
    "objects": b'{"a":[' + b",".join([b"{}"] * MOST_VALUES) + b"]}",
    "parts": b'{"a":[' + b",".join([b'{"type":"z"}'] * MOST_VALUES) + b"]}",
    "members": b'{"a":{' + b",".join(b'"%d":1' % place for place in range(MOST_VALUES + 1)) + b"}}",
    "lists in lists": b'{"a":[' + b",".join([b"[[[[1]]]]"] * (MOST_VALUES // 4)) + b"]}",
}


@pytest.mark.parametrize("name", HEAVY)
def test_too_many_values_are_refused(name: str) -> None:
    with pytest.raises(TooLarge):
        refuse_heavy(HEAVY[name])


@pytest.mark.parametrize("text", [",[{" * 200_000, '",' * 200_000, '\\",[' * 200_000, "\\\\" * 200_000])
def test_a_long_text_is_one_value_whatever_it_says(text: str) -> None:
    refuse_heavy(msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": text}]}))


async def test_a_heavy_call_is_refused_at_every_door(plain: Gateway, provider: ScriptedProvider) -> None:
    doors = {
        "/v1/chat/completions": b'{"model":"fast","messages":[%s]}',
        "/v1/responses": b'{"model":"fast","input":[%s]}',
        "/v1/messages": b'{"model":"fast","max_tokens":5,"messages":[%s]}',
        "/v1beta/models/fast:generateContent": b'{"contents":[%s]}',
        "/v1beta/models/fast:countTokens": b'{"contents":[%s]}',
    }
    for path, body in doors.items():
        heard = await plain.hear(body % b",".join([b"{}"] * MOST_VALUES), path=path)
        assert heard.status == 413, path
    assert provider.calls == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","Model":"b"}',
        b'{"MESSAGES":[],"messages":[]}',
        b'{"a":"\xff\xfe"}',
        b"{" + b",".join(b'"%d":1' % place for place in range(2_000)) + b"}",
        b'{"' + b'\\"' * 5_000 + b'":1}',
    ],
)
def test_a_body_that_two_readers_could_read_in_two_ways_or_none_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        members.read(body)
