"""What the tests of both OpenAI formats share: golden files, streams cut up, the official client."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import openai
import pytest

from llm_gateway.chat.events import Collector, Event
from llm_gateway.chat.request import Chat, HostedTool, Tool
from llm_gateway.formats import Decoder

Json = dict[str, Any]
_Toolless = msgspec.defstruct(
    "_Toolless",
    [
        (field.name, tuple[()] if field.name == "tools" else field.type)
        for field in msgspec.structs.fields(Chat)
    ],
    kw_only=True,
)
GOLDEN = Path(__file__).parents[3] / "golden"


def golden(folder: str) -> Iterator[Any]:
    """The cases below `tests/golden/<folder>`, by name."""
    for file in sorted((GOLDEN / folder).glob("*.json")):
        yield pytest.param(msgspec.json.decode(file.read_bytes()), id=file.stem)


def plain(value: Any) -> Any:
    """As it would be read from JSON."""
    return msgspec.json.decode(msgspec.json.encode(value))


def neutral(case: Json) -> Chat:
    """A request on file. Its tools are of two kinds that only their members tell apart."""
    tools: list[Tool | HostedTool] = [
        msgspec.convert(tool, HostedTool) if "kind" in tool else msgspec.convert(tool, Tool)
        for tool in case["tools"]
    ]
    rest = msgspec.convert({**case, "tools": []}, _Toolless)
    fields = {name: getattr(rest, name) for name in rest.__struct_fields__}
    return Chat(**{**fields, "tools": tuple(tools)})


def cut_up(wire: bytes, borders: list[int]) -> list[bytes]:
    places = sorted({0, len(wire), *(border % len(wire) for border in borders)}) if wire else [0, 0]
    return [wire[start:end] for start, end in itertools.pairwise(places)]


def decoded(decoder: Decoder, parts: list[bytes]) -> list[Event]:
    return [event for part in parts for event in decoder.feed(part)] + decoder.end()


def joined(events: list[Event]) -> Any:
    """What a stream comes to, however it was cut."""
    collector = Collector()
    for event in events:
        collector.add(event)
    return collector.reply


Answered = tuple[int, bytes]
Answer = Callable[[Json, bytes], Answered | Awaitable[Answered]]


@contextlib.asynccontextmanager
async def client(answer: Answer) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client before a server that is a function: what is asked, to status and body."""

    async def handle(request: httpx2.Request) -> httpx2.Response:
        raw = await request.aread()
        asked = msgspec.json.decode(raw)
        answered = answer(asked, raw)
        status, body = answered if isinstance(answered, tuple) else await answered
        streams = asked.get("stream") and status == 200
        kind = "text/event-stream" if streams else "application/json"
        return httpx2.Response(status, content=body, headers={"content-type": kind})

    transport = httpx2.MockTransport(handle)
    async with (
        httpx2.AsyncClient(transport=transport) as http,
        openai.AsyncOpenAI(
            base_url="http://gateway/v1", api_key="k", max_retries=0, http_client=http
        ) as found,
    ):
        yield found
