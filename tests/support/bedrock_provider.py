"""Bedrock on a scripted provider: Converse's replies, its binary events, its errors."""

import asyncio
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tests.support.providers import Behaviour, Call, whole

Json = dict[str, Any]

EVENT_STREAM = "application/vnd.amazon.eventstream"
USAGE: Json = {
    "inputTokens": 5,
    "outputTokens": 8,
    "totalTokens": 28,
    "cacheReadInputTokens": 12,
    "cacheWriteInputTokens": 3,
}


def frame(headers: Json, payload: bytes) -> bytes:
    """One message of AWS's event stream, every header a string."""
    named = b"".join(_header(name, str(value)) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(named) + len(payload), len(named))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + named + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    raw = value.encode()
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(raw)) + raw


def event(kind: str, fields: Json) -> bytes:
    head = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(head, msgspec.json.encode(fields))


def exception(kind: str, message: str) -> bytes:
    head = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(head, msgspec.json.encode({"message": message}))


def delta(index: int, fields: Json) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": fields})


def text_events(pieces: Iterable[str], usage: Json | None = USAGE) -> list[bytes]:
    """A stream with one text."""
    found = [event("messageStart", {"role": "assistant"})]
    found += [delta(0, {"text": piece}) for piece in pieces]
    found.append(event("contentBlockStop", {"contentBlockIndex": 0}))
    return [*found, *closing("end_turn", usage)]


def closing(reason: str, usage: Json | None = USAGE) -> list[bytes]:
    metadata = {"metrics": {"latencyMs": 7}} | ({"usage": usage} if usage else {})
    return [event("messageStop", {"stopReason": reason}), event("metadata", metadata)]


def reply_body(*content: Json, reason: str = "end_turn", usage: Json | None = USAGE) -> bytes:
    said = list(content) or [{"text": "Hello there"}]
    body: Json = {"output": {"message": {"role": "assistant", "content": said}}, "stopReason": reason}
    return msgspec.json.encode(body | {"usage": usage, "metrics": {"latencyMs": 7}})


def converse(*content: Json, reason: str = "end_turn") -> Behaviour:
    return whole(reply_body(*content, reason=reason))


def converse_stream(parts: Sequence[bytes], *, then: Behaviour | None = None) -> Behaviour:
    """These HTTP chunks, however they cut the events; `then` instead of a proper end."""

    async def behave(call: Call) -> None:
        await call.start({"content-type": EVENT_STREAM})
        for part in parts:
            await call.send(part)
        await (then or Call.end)(call)

    return behave


def held_stream(parts: Sequence[bytes], gate: asyncio.Event, rest: Sequence[bytes]) -> Behaviour:
    async def behave(call: Call) -> None:
        await call.start({"content-type": EVENT_STREAM})
        for part in parts:
            await call.send(part)
        await gate.wait()
        for part in rest:
            await call.send(part)
        await call.end()

    return behave


def refused(status: int, kind: str, message: str = "scripted") -> Behaviour:
    body = msgspec.json.encode({"message": message})
    return whole(body, status=status, headers={"x-amzn-errortype": f"{kind}:http://internal.amazon.com/"})
