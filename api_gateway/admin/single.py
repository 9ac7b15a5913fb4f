"""Declared objects one by one, each at an address of its own: read, put, removed. Whoever changes one says
which state they have seen, by `if-match`; a PUT that changes nothing may be sent again and again.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from api_gateway.admin import REASONS, Answer, Ask, Page, Reason
from api_gateway.admin.batch import Batch, Change, Who
from api_gateway.admin.conditional import Changed, MustSay, quoted
from api_gateway.admin.objects import Objects, shown
from api_gateway.control import Control
from api_gateway.declared import SHAPES
from api_gateway.declared.fields import plain
from api_gateway.declared.kind import Held, Kind
from shared.errors import BadRequest, Forbidden, NotFound

S = TypeVar("S", bound=Struct)
_REFUSALS = {409: Changed, 403: Forbidden}


class Wanted(Struct, Generic[S], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an object shall be, and why. `owner` marks it when it is made, as `gatestack apply` would."""

    spec: S
    reason: Reason = ""
    author: Who = ""
    owner: Annotated[str, Meta(min_length=1, max_length=63)] = "gatestack"
    dry_run: bool = False


class Object(Struct, Generic[S], frozen=True, kw_only=True, omit_defaults=True):
    """An object as it is. `owner` is whose files it was made from, `secret` a new key's, shown this once.
    `published` is whether the services have been told of what was done; if not, the edge goes on trying.
    """

    kind: str
    name: str
    spec: S
    etag: str
    owner: str
    did: Literal["", "made", "changed", "unchanged", "nothing"] = ""
    secret: str = ""
    published: bool = False


class Single:
    """The calls of the pages of one kind."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._shape = SHAPES[kind.name]
        spec: Any = self._shape.spec
        self.wanted: Any = Wanted[spec]
        self.answer: Any = Object[spec]
        self._objects = Objects((kind,), consented=True)

    async def read(self, control: Control, ask: Ask) -> Answer:
        """One object, with the `etag` that a change of it sends back."""
        return 200, await self._shown(control, ask)

    async def put(self, control: Control, ask: Ask) -> Answer:
        """Makes an object, or changes the one that was seen."""
        wanted = ask.read(self.wanted)
        held = await self._held(control, ask)
        if held is not None and not self._shape.differences(held.spec, wanted.spec):
            return 200, await self._shown(control, ask) | {"did": "unchanged"}
        change = Change(
            kind=self._kind.name,
            name=ask.names["name"],
            spec=Raw(msgspec.json.encode(plain(wanted.spec))),
            if_match=_seen(ask, held),
        )
        fields = {name: getattr(wanted, name) for name in ("reason", "author", "owner", "dry_run")}
        result = await self._done(control, ask, Batch(changes=(change,), **fields))
        if wanted.dry_run:
            there = held if held is not None else Held(name=change.name, spec=wanted.spec, etag="")
            return 200, _quoted(shown(change.kind, there, "")) | {"did": "nothing"}
        told = {name: result[name] for name in ("did", "published", "secret") if name in result}
        return 200, await self._shown(control, ask) | told

    async def remove(self, control: Control, ask: Ask) -> Answer:
        """Takes away the object that was seen."""
        held = await self._held(control, ask)
        if held is None:
            raise self._none(ask)
        change = Change(kind=self._kind.name, name=ask.names["name"], if_match=_seen(ask, held), remove=True)
        reason, author = (ask.query.get(name, "") for name in REASONS)
        done = await self._done(control, ask, Batch(changes=(change,), reason=reason, author=author))
        return 200, {"removed": change.name, "published": done["published"]}

    async def _done(self, control: Control, ask: Ask, batch: Batch) -> dict[str, Any]:
        """What became of the one change. Raises Changed, Forbidden, BadRequest."""
        status, told = await self._objects.apply(control, ask, batch)
        [result] = told["results"]
        if status != 200:
            raise _REFUSALS.get(status, BadRequest)(result["why"])
        return dict(result) | {"published": told["published"]}

    async def _held(self, control: Control, ask: Ask) -> Held | None:
        held = await self._kind.held(control, ask)
        return next((one for one in held if one.name == ask.names["name"]), None)

    async def _shown(self, control: Control, ask: Ask) -> dict[str, Any]:
        """Raises NotFound."""
        held = await self._held(control, ask)
        if held is None:
            raise self._none(ask)
        owner = (await control.store.marks()).get((self._kind.name, held.name), "")
        return _quoted(shown(self._kind.name, held, owner))

    def _none(self, ask: Ask) -> NotFound:
        return NotFound(f"there is no {self._kind.name} {ask.names['name'][:200]}")


def pages(kinds: tuple[Kind, ...]) -> tuple[Page, ...]:
    return tuple(page for kind in kinds for page in _pages(kind))


def _pages(kind: Kind) -> tuple[Page, ...]:
    single, path, area = Single(kind), f"/objects/{kind.name}/{{name:path}}", kind.area
    return (
        Page(method="GET", path=path, area=area, action="read", call=single.read, answer=single.answer),
        Page(
            method="PUT",
            path=path,
            area=area,
            action="manage",
            call=single.put,
            body=single.wanted,
            answer=single.answer,
            conditional=True,
        ),
        Page(method="DELETE", path=path, area=area, action="manage", call=single.remove, conditional=True),
    )


def _seen(ask: Ask, held: Held | None) -> str:
    """The etag that the caller has seen, "" where there is nothing. Raises Changed, MustSay."""
    text = ask.if_match.strip()
    if held is None:
        if text:
            raise Changed("there is none any more")
        return ""
    if not text:
        raise MustSay(f"send if-match with the etag of what you have seen (it is {quoted(held.etag)}), or *")
    if text not in ("*", quoted(held.etag)):
        raise Changed("it is not what you have seen any more: read it again")
    return held.etag


def _quoted(told: dict[str, Any]) -> dict[str, Any]:
    return told | {"etag": quoted(told["etag"])}
