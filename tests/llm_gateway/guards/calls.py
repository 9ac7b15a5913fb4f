"""Calls as guards meet them: a chat in neutral form, a flight that records, streams cut anywhere."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from llm_gateway.catalog import Model
from llm_gateway.chat.events import Begin, Collector, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart, Text
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.chat.request import Chat, Message, Output
from llm_gateway.formats import Format
from llm_gateway.guard import Inspection, inspect
from llm_gateway.guards.section import AnyGuardSection
from llm_gateway.guards.selected import ChatGuards
from shared.account import Flight
from shared.http_client import HttpClient
from shared.identity.principal import Caller
from shared.ledger.entry import Entry
from tests.llm_gateway.samples import ask, model
from tests.support.serve import someone


class Headers:
    """An exchange of which only the headers matter."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def header_or_none(self, name: str) -> str | None:
        return self._headers.get(name)


class Spoken:
    """A format that has read `chat` already."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def chat(self, ask: object) -> Chat:
        return self._chat


class Call:
    """One call under guards: `request` first, then `reply` or `stream`."""

    def __init__(
        self,
        *sections: AnyGuardSection,
        headers: dict[str, str] | None = None,
        http: HttpClient | None = None,
        caller: Caller | None = None,
        tags: tuple[str, ...] = (),
        guards: ChatGuards | None = None,
        asked_model: Model | None = None,
    ) -> None:
        self.entry = Entry(id="e1", service="llm_gateway", started_at=0, tags=tags)
        self._flight = cast(Flight, SimpleNamespace(entry=self.entry, exchange=Headers(headers or {})))
        self._guards = guards or ChatGuards(sections, http=http or HttpClient())
        self._caller = caller or someone()
        self._model = asked_model or model()
        self.inspection = Inspection()

    @property
    def findings(self) -> tuple[str, ...]:
        return self.entry.findings

    async def request(self, chat: Chat | str = "", *, stream: bool = False) -> Chat:
        """The request as it goes on."""
        given = chat if isinstance(chat, Chat) else said(chat)
        spoken = cast(Format, Spoken(given))
        self.inspection = await inspect(
            ask(stream=stream), spoken, self._flight, self._guards, self._caller, self._model
        )
        return self.inspection.chat or given

    async def reply(self, *parts: AnyPart | str) -> Reply:
        """A whole reply as it goes out; the request is taken to be one already unless it has been."""
        if not self.inspection.watches_reply:
            await self.request()
        return await self.inspection.reply(reply(*parts))

    async def answer(self, text: str) -> str:
        return text_of(await self.reply(text))

    async def stream(self, pieces: Iterable[str]) -> list[str]:
        """What goes out after each piece of a text, and after its end."""
        if not self.inspection.watches_reply:
            await self.request(stream=True)
        return await streamed(self.inspection, pieces)


def said(*texts: str, system: str = "", output: Output | None = None, **more: Any) -> Chat:
    """A request of one user's messages."""
    orders = [Message(role="system", parts=(Text(text=system),))] if system else []
    messages = [*orders, *(Message(role="user", parts=(Text(text=text),)) for text in texts)]
    return Chat(
        origin="openai_chat", model="fast", messages=tuple(messages), output=output or Output(), **more
    )


def reply(*parts: AnyPart | str) -> Reply:
    made = tuple(Text(text=part) if isinstance(part, str) else part for part in parts)
    return Reply(id="r1", model="m", parts=made, stop=Stop.END)


def last(chat: Chat) -> str:
    """The text of a request's last message."""
    return text_of_parts(chat.messages[-1].parts)


def text_of(reply: Reply) -> str:
    return text_of_parts(reply.parts)


def text_of_parts(parts: Sequence[AnyPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


async def streamed(inspection: Inspection, pieces: Iterable[str]) -> list[str]:
    begin: list[Event] = [Begin(id="r1", model="m"), PartBegin(place=0, part=Text())]
    out = [_text(await inspection.feed(begin))]
    out = out[1:]
    for piece in pieces:
        out.append(_text(await inspection.feed([PartDelta(place=0, text=piece)])))
    out.append(_text(await inspection.feed([PartEnd(place=0), End(stop=Stop.END)])))
    assert await inspection.end() == []
    return out


async def collected(inspection: Inspection, events: Sequence[Event]) -> Reply:
    """The reply that a client puts together from these events under guard, one fed at a time."""
    collector = Collector()
    for event in events:
        for out in await inspection.feed([event]):
            collector.add(out)
    for out in await inspection.end():
        collector.add(out)
    assert collector.complete
    return collector.reply


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _text(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, PartDelta))
