"""Texts as guards meet them in no protocol at all: some asked, one answered, streams cut anywhere."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

from shared.account import Flight
from shared.guards import guard_of
from shared.guards.flow import Flow
from shared.guards.run import Run
from shared.guards.section import AnyGuardSection, Who
from shared.guards.selected import Guards
from shared.guards.texts import See, each
from shared.guards.verdict import Occasion, Said
from shared.http_client import HttpClient
from shared.ledger.entry import Entry

Texts = tuple[Said, ...]


def flight(entry: Entry | None = None) -> Flight:
    """One of which only the entry matters."""
    return cast(
        Flight, SimpleNamespace(entry=entry or Entry(id="e1", service="s", started_at=0, request_id=""))
    )


class Call:
    """One call under guards: `request` first, then `answer` or `stream`."""

    def __init__(
        self, *sections: AnyGuardSection, http: HttpClient | None = None, occasion: Occasion | None = None
    ) -> None:
        self.entry = Entry(id="e1", service="s", started_at=0, request_id="")
        client = http or HttpClient()
        guards = Guards(sections, lambda section: guard_of(section, client))
        self.run = Run.open(guards.active, occasion or Occasion(), flight(self.entry))

    @property
    def findings(self) -> tuple[str, ...]:
        return self.entry.findings

    async def request(self, *texts: str, who: Who = "user") -> list[str]:
        """The texts of one message as they go on."""
        given = tuple(Said(text, who) for text in texts)
        there = self.run.on("request")
        seen = await there.through(given, walk, "request") if there is not None else given
        return [said.text for said in seen]

    async def answer(self, text: str, *, json: bool = False) -> str:
        there = self.run.on("reply")
        given: Texts = (Said(text, json=json),)
        return (await there.through(given, walk, "reply"))[0].text if there is not None else text

    async def stream(self, pieces: Iterable[str]) -> list[str]:
        """What goes out after each piece of a text, and after its end."""
        there = self.run.on("stream")
        flow = Flow(there if there is not None else Run([]), "assistant")
        return [*[await flow.feed(piece) for piece in pieces], await flow.end()]


def walk(texts: Texts, see: See) -> Texts:
    return each(texts, lambda _, said: _changed(said, see(said)))


def _changed(said: Said, text: str) -> Said:
    return said if text == said.text else Said(text, said.who, said.group, said.json)


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def last(texts: list[str]) -> str:
    return texts[-1]
