"""Behaviours for a ScriptedProvider that speaks Anthropic's format to the letter."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tests.support.providers import REAL_MODEL, Behaviour, Call, Json, whole

# 20 in, 12 of them from the cache; 8 out, 3 of them thoughts.
USAGE: Json = {
    "input_tokens": 6,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 12,
    "output_tokens": 8,
    "output_tokens_details": {"thinking_tokens": 3},
    "service_tier": "standard",
}
START_USAGE: Json = {**USAGE, "output_tokens": 1, "output_tokens_details": None}
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def message_body(
    *blocks: Json, text: str = "Hello there", stop: str = "end_turn", usage: Json | None = USAGE
) -> bytes:
    body = message(list(blocks) or [{"type": "text", "text": text}], stop=stop, usage=usage)
    return msgspec.json.encode(body)


def message(content: list[Json], *, stop: str | None, usage: Json | None) -> Json:
    found: Json = {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": REAL_MODEL,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }
    return found | ({"usage": usage} if usage is not None else {})


def event(name: str, **members: Any) -> bytes:
    return f"event: {name}\ndata: ".encode() + msgspec.json.encode({"type": name, **members}) + b"\n\n"


def start(usage: Json | None = START_USAGE) -> bytes:
    return event("message_start", message=message([], stop=None, usage=usage))


def block(index: int, begun: Json, *deltas: Json) -> list[bytes]:
    """One block's events."""
    return [
        event("content_block_start", index=index, content_block=begun),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def text_block(index: int, *pieces: str) -> list[bytes]:
    deltas = ({"type": "text_delta", "text": piece} for piece in pieces)
    return block(index, {"type": "text", "text": ""}, *deltas)


def thinking_block(index: int, *pieces: str, signature: str = "c2ln") -> list[bytes]:
    deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    begun = {"type": "thinking", "thinking": "", "signature": ""}
    return block(index, begun, *deltas, {"type": "signature_delta", "signature": signature})


def tool_block(index: int, call: str, name: str, *pieces: str) -> list[bytes]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces))
    return block(index, {"type": "tool_use", "id": call, "name": name, "input": {}}, *deltas)


def finish(stop: str = "end_turn", usage: Json | None = None, sequence: str | None = None) -> list[bytes]:
    told = {"output_tokens": 8, "output_tokens_details": {"thinking_tokens": 3}} if usage is None else usage
    delta = {"stop_reason": stop, "stop_sequence": sequence}
    return [event("message_delta", delta=delta, usage=told), event("message_stop")]


def events(*blocks: list[bytes], stop: str = "end_turn") -> list[bytes]:
    """A whole stream, with the ping that Anthropic likes to send early."""
    return [start(), PING, *(item for each in blocks for item in each), *finish(stop)]


def replies(*blocks: Json, text: str = "Hello there", stop: str = "end_turn") -> Behaviour:
    """The message as the caller asked for it: whole, or streamed as text."""

    async def behave(call: Call) -> None:
        if not call.json.get("stream"):
            await call.reply(200, message_body(*blocks, text=text, stop=stop), {"request-id": "req_1"})
            return
        await streams(events(text_block(0, text[:3], text[3:]), stop=stop))(call)

    return behave


def streams(parts: Sequence[bytes]) -> Behaviour:
    async def behave(call: Call) -> None:
        await call.start({"request-id": "req_1"})
        for part in parts:
            await call.send(part)
        await call.end()

    return behave


def error_body(kind: str, message: str = "scripted") -> bytes:
    told = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return msgspec.json.encode(told)


def error(status: int, kind: str, *, message: str = "scripted", retry_after: int | None = None) -> Behaviour:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return whole(error_body(kind, message), status=status, headers=headers)


def error_event(kind: str = "overloaded_error", message: str = "Overloaded") -> bytes:
    return event("error", error={"type": kind, "message": message}, request_id="req_1")
