"""The kill list: add (or only show what would be hit), list, lift."""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page, Reason
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from shared.errors import BadRequest, NotFound
from shared.kill import DIMENSIONS, Kill
from shared.kill_selector import Selector
from shared.kill_survey import Found, Survey
from shared.service_accounts import is_disabling


class NewKill(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`selector` names what is stopped, each dimension a glob: `{"agent": "planner"}`, `{"all": "*"}`."""

    selector: dict[str, str]
    reason: Reason = ""
    dry_run: bool = False


class Adding:
    """Stops what the selector means, new calls and open ones; `dry_run` only shows what it would cut."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey

    async def __call__(self, control: Control, ask: Ask) -> Answer:
        wanted = ask.read(NewKill)
        selector = checked(wanted.selector)
        tenant = ask.tenant(selector.get("tenant"))
        if tenant is not None:
            selector["tenant"] = tenant
            selector.pop("all", None)
        if wanted.dry_run:
            return 200, {"selector": selector, **_told(await self._survey.ask(selector))}
        # An order does not wait for anybody's answer.
        kill = await control.add_kill(selector, wanted.reason, ask.caller.actor)
        return 201, _shown(kill)


async def listing(control: Control, ask: Ask) -> Answer:
    """What is stopped at the moment."""
    return 200, {"kills": [_shown(kill) for kill in await _visible(control, ask)]}


async def lift(control: Control, ask: Ask) -> Answer:
    """Lets what was stopped go on."""
    kill = next((kill for kill in await _visible(control, ask) if kill.id == ask.names["id"]), None)
    if kill is None:
        raise NotFound(f"there is no kill {ask.names['id']}")
    if is_disabling(kill):
        raise BadRequest(f"{kill.reason}: enable it (disabled: false), and this ends by itself")
    await control.lift_kill(ask.names["id"], ask.caller.actor)
    return 200, {"lifted": ask.names["id"]}


async def _visible(control: Control, ask: Ask) -> list[Kill]:
    tenant = ask.tenant()
    return [kill for kill in await control.kills() if tenant in (None, kill.selector.get("tenant"))]


def checked(selector: dict[str, str]) -> dict[str, str]:
    """Raises BadRequest."""
    unknown = [name for name in selector if name not in DIMENSIONS]
    if unknown or not selector:
        known = ", ".join(sorted(DIMENSIONS))
        raise BadRequest(f"selector: {unknown[0] if unknown else 'empty'}: name one or more of {known}")
    try:
        Selector.of(selector)
    except ValueError as error:
        raise BadRequest(f"selector: {error}", cause=error) from error
    return dict(selector)


def _shown(kill: Kill) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(kill)
    return shown


_LISTED = Listed(member="kills", key=("id",), filters=("by",), item=Kill)


def _told(found: Found) -> dict[str, Any]:
    return {
        "would_cut": [msgspec.to_builtins(hit) for hit in found.hits],
        "calls": found.calls,
        "asked": found.asked,
        "answered": found.answered,
    }


def pages(survey: Survey) -> tuple[Page, ...]:
    add = Adding(survey)
    return (
        Page(method="POST", path="/kills", area="kills", action="manage", call=add, body=NewKill, status=201),
        Page(method="GET", path="/kills", area="kills", action="read", call=listing, lists=_LISTED),
        Page(method="DELETE", path="/kills/{id}", area="kills", action="manage", call=lift),
    )
