"""The kill list: add (or only show what would be hit), list, lift."""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from shared.errors import BadRequest, NotFound
from shared.kill import DIMENSIONS, Kill
from shared.kill_selector import Selector


class NewKill(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`selector` names what is stopped, each dimension a glob: `{"agent": "planner"}`, `{"all": "*"}`."""

    selector: dict[str, str]
    reason: str = ""
    dry_run: bool = False


async def add(control: Control, ask: Ask) -> Answer:
    wanted = ask.read(NewKill)
    selector = _checked(wanted.selector)
    tenant = ask.tenant(selector.get("tenant"))
    if tenant is not None:
        selector["tenant"] = tenant
        selector.pop("all", None)
    hits = control.would_hit(selector)
    if wanted.dry_run:
        return 200, {"selector": selector, "would_cut": hits}
    kill = await control.add_kill(selector, wanted.reason, ask.caller.actor)
    return 201, {**_shown(kill), "cut": hits}


async def listing(control: Control, ask: Ask) -> Answer:
    return 200, {"kills": [_shown(kill) for kill in await _visible(control, ask)]}


async def lift(control: Control, ask: Ask) -> Answer:
    if not any(kill.id == ask.names["id"] for kill in await _visible(control, ask)):
        raise NotFound(f"there is no kill {ask.names['id']}")
    await control.lift_kill(ask.names["id"], ask.caller.actor)
    return 200, {"lifted": ask.names["id"]}


async def _visible(control: Control, ask: Ask) -> list[Kill]:
    tenant = ask.tenant()
    return [kill for kill in await control.store.kills() if tenant in (None, kill.selector.get("tenant"))]


def _checked(selector: dict[str, str]) -> dict[str, str]:
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


PAGES = (
    Page(method="POST", path="/kills", area="kills", action="manage", call=add),
    Page(method="GET", path="/kills", area="kills", action="read", call=listing),
    Page(method="DELETE", path="/kills/{id}", area="kills", action="manage", call=lift),
)
