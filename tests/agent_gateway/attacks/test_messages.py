"""Extensions smuggled into messages, and answers that are meant to break whoever reads them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_gateway.bindings.extensions import Extensions
from shared import sse
from shared.asgi import Send
from shared.errors import BadRequest
from tests.agent_gateway.gateway import gateway, message, request
from tests.support.agents import Heard, agent, begin, more, reply, scripted
from tests.support.executors import Echo

GOOD, EVIL = "https://e.example/good", "https://e.example/evil"


async def test_no_part_of_a_message_carries_an_extension_past_the_list(tmp_path: Path) -> None:
    metadata = {EVIL: {"run": "this"}, f"{EVIL}/deep": 1, GOOD: 2, "note": 3}
    escaped = b'{"text":"three","\\u006detadata":{"' + EVIL.encode() + b'":1}}'
    parts = [{"text": "one", "metadata": metadata}, {"text": "two"}, msgspec.Raw(escaped)]
    params = message(parts=parts, extensions=[GOOD, EVIL], metadata=metadata) | {"metadata": metadata}
    headers = {"a2a-extensions": f"{GOOD}, {EVIL}", "x-a2a-extensions": EVIL}
    section = {"extensions": [GOOD]}
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer, section=section) as gate:
        answer = await gate.post("writer", request("SendMessage", params), headers=headers)
        assert answer.code == 0
        [heard] = writer.calls()
        assert EVIL not in str(heard.body)
        assert EVIL not in str(heard.headers)
        sent = heard.body["params"]["message"]
        assert sent["parts"][0] == {"text": "one", "metadata": {GOOD: 2, "note": 3}}
        assert [part["text"] for part in sent["parts"]] == ["one", "two", "three"]


async def test_the_same_in_the_words_of_0_3_and_over_http_json(tmp_path: Path) -> None:
    part = {"text": "one", "metadata": {EVIL: 1}}
    earlier = {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", **part}]}
    async with agent(Echo()) as writer, gateway(tmp_path, writer=writer) as gate:
        headers = {"a2a-version": "0.3", "x-a2a-extensions": EVIL}
        old = await gate.post("writer", request("message/send", {"message": earlier}), headers=headers)
        rest = await gate.post("", message(parts=[part]), path="/agents/writer/message:send")
        assert (old.code, rest.status) == (0, 200)
        assert EVIL not in str([(heard.body, heard.headers) for heard in writer.heard])


def test_where_unknown_ones_are_refused_a_part_is_no_exception() -> None:
    given = {"message": msgspec.Raw(msgspec.json.encode({"parts": [{"metadata": {EVIL: 1}}]}))}
    with pytest.raises(BadRequest):
        Extensions([GOOD], "refuse").cleaned(given)


async def test_an_agent_cannot_switch_on_what_nobody_asked_for(tmp_path: Path) -> None:
    async def script(heard: Heard, send: Send) -> None:
        result = {"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": []}}
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": heard.body["id"], "result": result})
        await reply(send, body, a2a_extensions=f"{GOOD}, {EVIL}", x_a2a_extensions=EVIL)

    section = {"extensions": [GOOD]}
    async with scripted(script) as writer, gateway(tmp_path, writer=writer, section=section) as gate:
        silent = await gate.call("writer", "SendMessage", message())
        assert not {"a2a-extensions", "x-a2a-extensions"} & set(silent.headers)
        asked = {"a2a-extensions": GOOD}
        told = await gate.post("writer", request("SendMessage", message()), headers=asked)
        assert told.headers["a2a-extensions"] == GOOD


def _endless() -> bytes:
    return b'data: {"jsonrpc":"2.0","id":"r1","result":"' + b"x" * (9 * 2**20)


def _nested() -> bytes:
    deep: bytes = b"[" * 200_000 + b"]" * 200_000
    update = b'{"artifactUpdate":{"taskId":"t","artifact":{"parts":[{"data":' + deep + b"}]}}}"
    return sse.encode(b'{"jsonrpc":"2.0","id":"r1","result":' + update + b"}")


@pytest.mark.parametrize("bomb", [_endless, _nested], ids=["an event without end", "nested without end"])
async def test_a_bomb_in_a_stream_ends_it_and_nothing_else(tmp_path: Path, bomb: Any) -> None:
    async def script(_: Heard, send: Send) -> None:
        await begin(send)
        await more(send, bomb())
        await send({"type": "http.response.body", "body": b""})

    async with (
        scripted(script) as writer,
        agent(Echo()) as other,
        gateway(tmp_path, writer=writer, other=other) as gate,
    ):
        async with gate.stream("writer") as events:
            [last] = await events.take(1)
        assert msgspec.json.decode(sse.data_of(last))["error"]["code"] == -32006
        await gate.row(outcome="broken", reason="upstream_broken")
        assert (await gate.call("other", "SendMessage", message())).code == 0


async def test_an_endless_id_is_passed_on_and_not_kept(tmp_path: Path) -> None:
    task = {"id": "x" * 100_000, "status": {"state": "TASK_STATE_WORKING"}}

    async def script(heard: Heard, send: Send) -> None:
        result = {"jsonrpc": "2.0", "id": heard.body["id"], "result": {"task": task}}
        await reply(send, msgspec.json.encode(result))

    async with scripted(script) as writer, gateway(tmp_path, writer=writer) as gate:
        assert (await gate.call("writer", "SendMessage", message())).code == 0
        keys = [bytes(key) for key in await gate.parts.redis.execute("KEYS", "*a2a*")]
        assert all(len(key) < 1_000 for key in keys)
