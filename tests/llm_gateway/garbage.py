"""What providers might say that they should not: answers of every wire, bent, cut, shuffled and made up, for
Hypothesis to choose from.
"""

import functools
import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from llm_gateway.chat.events import events_of
from llm_gateway.chat.parts import Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats import Format
from llm_gateway.formats.anthropic import Anthropic
from llm_gateway.formats.gemini import Gemini
from llm_gateway.formats.openai_chat import OpenAIChat
from llm_gateway.formats.openai_responses import OpenAIResponses
from shared.ledger.entry import Usage
from tests.support import bedrock_provider as bedrock
from tests.support.providers import Behaviour, Call

Event = tuple[str, Any]

SAID = Reply(
    id="r1",
    model="m",
    parts=(
        Thinking(text="Hm.", signature="c2ln", origin="anthropic"),
        Text(text="Hello there"),
        ToolCall(id="call_1", name="weather", arguments='{"city":"Oslo"}'),
    ),
    stop=Stop.TOOLS,
    usage=Usage(tokens_in=20, tokens_out=8, cached=3, reasoning=2),
    created=1,
)
_CHAT = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"stream":true}'
_SPOKEN: dict[str, tuple[Format, bytes]] = {
    "chat": (OpenAIChat(), _CHAT),
    "responses": (OpenAIResponses(), b'{"model":"m","input":"Hi","stream":true}'),
    "anthropic": (Anthropic(), _CHAT),
    "gemini": (Gemini(), b'{"contents":[{"parts":[{"text":"Hi"}]}]}'),
}
WIRES = (*_SPOKEN, "bedrock")
_BEDROCK: list[Event] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm."}}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hello"}}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    (
        "contentBlockStart",
        {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "c1", "name": "weather"}}},
    ),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"city":"Oslo"}'}}}),
    ("contentBlockStop", {"contentBlockIndex": 2}),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {"usage": bedrock.USAGE, "metrics": {"latencyMs": 7}}),
]
_TOOL = {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Oslo"}}}
# Stands for what no JSON value can be.
_DEEP = "\x00deep"
_NASTY: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, -1, 0, 3, 2**63, 10**400, 1.5, 1e308, float("nan"), float("inf"), "", "x"),
        *("\ud800", "\x00", "\n\ndata: x\n\n", "[DONE]", "null", "{", "1e999", "sk-proj-" + "a" * 30),
        *("tool_calls", "content_filter", "error", "text", "x" * 5000, _DEEP),
        *([], {}, [None], [[]], {"": None}, [{}], {"type": "text"}, {"error": {"message": 7}}),
    ]
).map(deepcopy)


class Said(Struct, frozen=True):
    """One answer as it goes over the wire. `length`: it says how long it is, otherwise it comes in chunks."""

    status: int
    kind: str
    parts: tuple[bytes, ...]
    length: bool
    cut: bool

    def behaviour(self) -> Behaviour:
        async def behave(call: Call) -> None:
            if self.length:
                await call.reply(self.status, b"".join(self.parts), {"content-type": self.kind})
                return
            head = (
                f"HTTP/1.1 {self.status} X\r\ncontent-type: {self.kind}\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            await call.raw(head.encode())
            for part in self.parts:
                if part:
                    await call.send(part)
            if self.cut:
                call.cut()
            else:
                await call.end()

        return behave


def answers(wire: str, *, streamed: bool) -> st.SearchStrategy[Said]:
    kind = "application/json"
    if streamed:
        kind = bedrock.EVENT_STREAM if wire == "bedrock" else "text/event-stream"
    body = st.one_of(_streams(wire) if streamed else _wholes(wire), st.binary(max_size=64))
    return st.builds(
        Said,
        status=st.sampled_from([200] * 12 + [204, 201, 301, 400, 401, 404, 413, 429, 500, 503, 529]),
        kind=st.sampled_from([kind] * 8 + ["text/html", "", "application/json", "text/event-stream; x=\xff"]),
        parts=_cut_up(body),
        length=st.booleans() if not streamed else st.just(False),
        cut=st.sampled_from([False, False, False, True]),
    )


@functools.cache
def seed(wire: str) -> tuple[Any, list[Event]]:
    """A proper answer in one piece, and the same as events."""
    if wire == "bedrock":
        whole = bedrock.reply_body({"text": "Hello"}, _TOOL, reason="tool_use")
        return json.loads(whole), _BEDROCK
    spoken, body = _SPOKEN[wire]
    ask = spoken.read(body, {"streamed": "m"})
    writer = spoken.writer(ask)
    stream = b"".join(writer.write(event) for event in events_of(SAID)).decode()
    return json.loads(spoken.reply(SAID, ask)), [_event(text) for text in stream.split("\n\n") if text]


def _event(text: str) -> Event:
    lines = dict(line.split(": ", 1) for line in text.split("\n"))
    data = lines["data"]
    return lines.get("event", ""), data if data == "[DONE]" else json.loads(data)


@st.composite
def _wholes(draw: st.DrawFn, wire: str) -> bytes:
    return _text(draw(_bent(seed(wire)[0])))


@st.composite
def _streams(draw: st.DrawFn, wire: str) -> bytes:
    events: list[Event | bytes] = list(seed(wire)[1])
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(0, len(events) - 1)))
        what = draw(st.sampled_from(["bend", "bend", "bend", "drop", "twice", "swap", "stop", "noise"]))
        event = events[place] if events else b""
        if what == "bend" and isinstance(event, tuple):
            events[place] = (event[0], draw(_bent(event[1])))
        elif what == "drop":
            del events[place : place + 1]
        elif what == "twice":
            events.insert(place, event)
        elif what == "swap":
            events.insert(draw(st.integers(0, len(events))), events.pop(place) if events else b"")
        elif what == "stop":
            del events[place:]
        elif what == "noise":
            noise = [
                b"\xff\xfe",
                b": ping\n\n",
                b"data:\n\n",
                b"data: {\n\n",
                b"event: error\n\n",
                b"\x00" * 20,
            ]
            events.insert(place, draw(st.sampled_from(noise)))
    return b"".join(written(wire, event) for event in events)


def written(wire: str, event: Event | bytes) -> bytes:
    """An event as it goes over this wire."""
    if isinstance(event, bytes):
        return event
    name, value = event
    data = b"[DONE]" if value == "[DONE]" else _text(value)
    if wire == "bedrock":
        head = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
        return bedrock.frame(head, data)
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"


@st.composite
def _bent(draw: st.DrawFn, value: Any) -> Any:
    """`value` with something else in up to three places, or something missing there."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(value))
        if not places:
            return draw(_NASTY)
        holder, name = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.booleans()) or draw(st.booleans()):
            holder[name] = draw(_NASTY)
        else:
            del holder[name]
    return value


def _places(value: Any) -> Any:
    """Every member and item of a JSON value, wherever it is, by what holds it."""
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        yield value, name
        yield from _places(value[name])


def _text(value: Any) -> bytes:
    deep = "[" * 5000 + "]" * 5000
    return json.dumps(value).replace(json.dumps(_DEEP), deep).encode()


@st.composite
def _cut_up(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> tuple[bytes, ...]:
    """One body in pieces, however they fall."""
    body = draw(bodies)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    return tuple(body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True))
