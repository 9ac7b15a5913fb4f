"""What is odd about a chain, read from its entries: orphans, loops and forks. The edge makes none of them
happen; that they are not there is only known when somebody looks.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from msgspec import Struct

Kind = Literal["orphan", "loop", "fork"]


class Recorded(Protocol):
    """As much of an entry as has to be known here."""

    @property
    def id(self) -> str: ...
    @property
    def parent(self) -> str: ...
    @property
    def actors(self) -> Sequence[str]: ...
    @property
    def reason(self) -> str: ...
    @property
    def resource(self) -> str: ...


class Flag(Struct, frozen=True):
    """One oddity, the entry that shows it, and what it is in words."""

    kind: Kind
    entry: str
    why: str


def flags(entries: Sequence[Recorded]) -> list[Flag]:
    """In the order of `entries`.

    orphan: what it hangs below is not in the ledger (not yet, or lost). loop: it hangs below itself, or an
    agent was called that acts in the chain already, which is refused. fork: a second beginning, or somebody
    acts who is not whom the call above had handed on to.
    """
    known = {entry.id: entry for entry in entries}
    found = []
    roots = 0
    for entry in entries:
        roots += not entry.parent
        found += [Flag(kind, entry.id, why) for kind, why in _of(entry, known, roots)]
    return found


def _of(entry: Recorded, known: dict[str, Recorded], roots: int) -> Iterator[tuple[Kind, str]]:
    above = known.get(entry.parent)
    if not entry.parent:
        if roots > 1:
            yield "fork", "the chain begins here a second time"
    elif above is None:
        yield "orphan", f"{entry.parent}, which it hangs below, is not in the ledger"
    elif not _follows(entry, above):
        yield "fork", f"{_path(entry)} does not follow from {_path(above)} above it"
    if _below_itself(entry, known):
        yield "loop", "it hangs below itself"
    if entry.reason == "delegation" and entry.resource in entry.actors:
        yield "loop", f"{entry.resource} was called, which acts in this chain already: refused"


def _follows(entry: Recorded, above: Recorded) -> bool:
    """The same principals, or one more: the agent that was called above. Refusals may know nobody yet."""
    before, after = tuple(above.actors), tuple(entry.actors)
    if not before or not after or before == after:
        return True
    called = above.resource.partition("/skill/")[0]
    return after[:-1] == before and (not called.startswith("agent:") or after[-1] == called)


def _below_itself(entry: Recorded, known: dict[str, Recorded]) -> bool:
    seen, here = {entry.id}, known.get(entry.parent)
    while here is not None:
        if here.id in seen:
            return here.id == entry.id
        seen.add(here.id)
        here = known.get(here.parent)
    return False


def _path(entry: Recorded) -> str:
    return " → ".join(entry.actors)
