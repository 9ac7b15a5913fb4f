"""Tools that are held back because nobody has looked at their definition: see what has changed, approve it,
reject it, or forget what was pinned. Servers belong to the whole stack, and so do the pins of their tools.
"""

from typing import Any

from msgspec import Struct

from api_gateway.admin import Answer, Ask, Call, Page
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from shared.approvals import visible
from shared.errors import BadRequest, Forbidden, NotFound
from shared.tool_pins import Pin, Review, ToolPins

_LISTED = Listed(member="tools", key=("server", "tool"), filters=("tool", "by"))
_STATES = ("waiting", "rejected", "pinned", "all")


class Decided(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`digest` is that of the definition that was looked at, so that no other is decided on."""

    server: str
    tool: str
    digest: str
    reason: str = ""


class Named(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: str
    tool: str


class Tools:
    """The calls of the pages below."""

    def __init__(self, pins: ToolPins) -> None:
        self._pins = pins

    async def listing(self, control: Control, ask: Ask) -> Answer:
        """What waits, of one `server` or of all; with a `server` also what is pinned."""
        _everywhere(ask)
        server, state = ask.query.get("server", ""), ask.query.get("state", "waiting")
        if state not in _STATES:
            raise BadRequest(f"state: {state[:40]!r} is none of {', '.join(_STATES)}")
        if state == "pinned" and not server:
            raise BadRequest("server: say whose pins, like server=git")
        shown = [_reviewed(review) for review in await self._pins.reviews(server)]
        held = {(one["server"], one["tool"]) for one in shown}
        pins = await self._pins.pins(server) if server else {}
        shown += [_pinned(server, name, pin) for name, pin in pins.items() if (server, name) not in held]
        return 200, {"tools": [one for one in shown if state in ("all", one["state"])]}

    async def approve(self, control: Control, ask: Ask) -> Answer:
        """From now on this definition is the trusted one."""
        wanted = _decided(ask)
        pin = await self._pins.approve(wanted.server, wanted.tool, wanted.digest, ask.caller.actor)
        return 200, _pinned(wanted.server, wanted.tool, pin)

    async def reject(self, control: Control, ask: Ask) -> Answer:
        """This definition stays out of sight; what was pinned before stays pinned."""
        wanted = _decided(ask)
        who, why = ask.caller.actor, visible(wanted.reason)
        await self._pins.reject(wanted.server, wanted.tool, wanted.digest, who, why)
        return 200, {"server": wanted.server, "tool": wanted.tool, "state": "rejected", "by": who}

    async def unpin(self, control: Control, ask: Ask) -> Answer:
        """The next definition that is seen counts as the first."""
        _everywhere(ask)
        wanted = ask.read(Named)
        _note(ask, wanted.server, wanted.tool)
        if not await self._pins.forget(wanted.server, wanted.tool):
            raise NotFound(f"nothing is pinned of {wanted.server[:80]}/{wanted.tool[:80]}")
        return 200, {"server": wanted.server, "tool": wanted.tool, "state": "unpinned"}


def pages(pins: ToolPins) -> tuple[Page, ...]:
    tools = Tools(pins)
    return (
        Page(
            method="GET",
            path="/tools",
            area="tools",
            action="read",
            call=tools.listing,
            query=("server", "state"),
            lists=_LISTED,
        ),
        _decision("/tools/approve", tools.approve, Decided),
        _decision("/tools/reject", tools.reject, Decided),
        _decision("/tools/unpin", tools.unpin, Named),
    )


def _decision(path: str, call: Call, body: type[Struct]) -> Page:
    return Page(method="POST", path=path, area="tools", action="manage", call=call, body=body)


def _everywhere(ask: Ask) -> None:
    if not ask.all_tenants:
        raise Forbidden("tool servers serve all tenants: operators of the whole stack look after them")


def _decided(ask: Ask) -> Decided:
    _everywhere(ask)
    wanted = ask.read(Decided)
    _note(ask, wanted.server, wanted.tool)
    return wanted


def _note(ask: Ask, server: str, tool: str) -> None:
    ask.entry.findings += (f"tool:{visible(server)}/{visible(tool)}",)


def _reviewed(review: Review) -> dict[str, Any]:
    waiting, rejected = review.waiting, review.rejected
    return {
        "server": review.server,
        "tool": waiting.tool,
        "state": "rejected" if rejected is not None else "waiting",
        "digest": waiting.digest,
        "pinned": review.pinned.digest if review.pinned is not None else "",
        "findings": waiting.findings,
        "difference": review.difference,
        "by": rejected.by if rejected is not None else "",
        "at": rejected.at if rejected is not None else 0,
        "reason": rejected.why if rejected is not None else "",
    }


def _pinned(server: str, tool: str, pin: Pin) -> dict[str, Any]:
    found = {"server": server, "tool": tool, "state": "pinned", "digest": pin.digest}
    return found | {"by": pin.by, "at": pin.at}
