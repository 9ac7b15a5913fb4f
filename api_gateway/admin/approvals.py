"""Approvals: the calls that wait for a person, and that person's word. Each decision is an entry of its own,
which says what was decided, and why.
"""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Call, Page
from api_gateway.admin.listing import CURSOR, limit_of
from api_gateway.control import Control
from shared.approvals import Book, Filed, State, may_decide, visible
from shared.errors import BadRequest, Forbidden, NotFound

_PAGE, _LONGEST_PAGE = 50, 500
# How many are looked at for one page, where filters leave most of them out.
_LOOKED_AT = 5_000
_WHY = 500
_STATES = (*get_args(State), "all")
_FILTERS: dict[str, Callable[[Filed, str], bool]] = {
    "principal": lambda filed, wanted: filed.approval.principal == wanted,
    "actor": lambda filed, wanted: wanted in filed.approval.actors,
    "resource": lambda filed, wanted: filed.approval.resource == wanted,
    "chain": lambda filed, wanted: filed.approval.chain == wanted,
    "service": lambda filed, wanted: filed.approval.service == wanted,
}


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`digest` is that of the arguments that were looked at, so that no others are decided on."""

    reason: str = ""
    digest: str = ""
    dry_run: bool = False


class Conflict(BadRequest):
    """It has been decided already, or can no longer be."""

    status = 409


class Approvals:
    """The calls of the pages below."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def listing(self, control: Control, ask: Ask) -> Answer:
        """Newest first, `limit` a page; `next` is the `cursor` of the following page."""
        state, limit = ask.query.get("state", "pending"), limit_of(ask.query, _PAGE, _LONGEST_PAGE)
        if state not in _STATES:
            raise BadRequest(f"state: {state[:40]!r} is none of {', '.join(_STATES)}")
        wanted = {name: ask.query[name] for name in _FILTERS if name in ask.query}
        tenant, before = ask.tenant(ask.query.get("tenant")), _cursor(ask)
        found: list[Filed] = []
        looked, following = 0, ""
        async with aclosing(self._book.newest(tenant, before)) as newest:
            async for filed in newest:
                looked, stands = looked + 1, _standing(control, filed)
                fits = all(_FILTERS[name](stands, value) for name, value in wanted.items())
                if fits and state in ("all", stands.word.state):
                    found.append(stands)
                if len(found) == limit or looked == _LOOKED_AT:
                    following = str(filed.approval.created)
                    break
        return 200, {"approvals": [_shown(filed) for filed in found], "next": following}

    async def show(self, control: Control, ask: Ask) -> Answer:
        """One call that needs a person, with its arguments."""
        return 200, _shown(await self._found(control, ask))

    async def approve(self, control: Control, ask: Ask) -> Answer:
        """Lets it go through, once."""
        return await self._decide(control, ask, "approved")

    async def deny(self, control: Control, ask: Ask) -> Answer:
        """Refuses it."""
        return await self._decide(control, ask, "denied")

    async def _decide(self, control: Control, ask: Ask, state: Literal["approved", "denied"]) -> Answer:
        """Raises Forbidden for whoever may not decide on this call, Conflict where there is nothing to decide
        any more.
        """
        verdict = ask.read(Verdict) if ask.body else Verdict()
        filed = await self._found(control, ask)
        id, why = filed.approval.id, visible(verdict.reason, _WHY)
        ask.entry.findings += (f"approval:{id} {'' if verdict.dry_run else state}".rstrip(),)
        refused = may_decide(ask.caller, filed.approval)
        if refused:
            raise Forbidden(refused)
        if verdict.digest not in ("", filed.approval.digest):
            raise BadRequest("digest: these are not the arguments that you looked at")
        if filed.word.state != "pending":
            raise Conflict(f"the approval {id} is {filed.word.state} already")
        if verdict.dry_run:
            return 200, _shown(filed) | {"would_be": state}
        outcome = await self._book.decide(id, state, ask.caller.actor, why)
        if outcome != "decided":
            raise Conflict(f"the approval {id} is {outcome or 'gone'} already")
        if why:
            ask.entry.detail = why
        return 200, _shown(await self._found(control, ask))

    async def _found(self, control: Control, ask: Ask) -> Filed:
        """Raises NotFound, for another tenant's as for one that never was."""
        filed, tenant = await self._book.find(ask.names["id"]), ask.tenant()
        if filed is None or tenant not in (None, filed.approval.tenant):
            raise NotFound(f"there is no approval {ask.names['id'][:80]}")
        return _standing(control, filed)


def pages(book: Book) -> tuple[Page, ...]:
    approvals, one = Approvals(book), "/approvals/{id}"
    return (
        Page(
            method="GET",
            path="/approvals",
            area="approvals",
            action="read",
            call=approvals.listing,
            query=("tenant", "state", "limit", "cursor", *_FILTERS),
        ),
        Page(method="GET", path=one, area="approvals", action="read", call=approvals.show),
        _decision(f"{one}/approve", approvals.approve),
        _decision(f"{one}/deny", approvals.deny),
    )


def _decision(path: str, call: Call) -> Page:
    return Page(method="POST", path=path, area="approvals", action="manage", call=call, body=Verdict | None)


def _standing(control: Control, filed: Filed) -> Filed:
    """What was asked under another policy than the one in force is void: the call has to ask anew."""
    open_ = filed.word.state in ("pending", "approved")
    if open_ and filed.approval.epoch != control.policy.current.epoch:
        return Filed(filed.approval, msgspec.structs.replace(filed.word, state="void"))
    return filed


def _shown(filed: Filed) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(filed.approval)
    word = filed.word
    return shown | {"state": word.state, "decided_by": word.by, "decided_at": word.at, "reason": word.why}


def _cursor(ask: Ask) -> int:
    text = ask.query.get("cursor", "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(CURSOR)
    return int(text or 0)
