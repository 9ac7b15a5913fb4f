"""Kills, declared: what is stopped while the file says so. The object's name is the kill's id; one that was
lifted stays on record, so its name is not used again.
"""

import msgspec
from msgspec import Struct

from api_gateway.admin import Ask, Reason
from api_gateway.admin.kills import checked
from api_gateway.control import Control
from api_gateway.declared.kind import NAME, Held, Step, confine, holding
from shared.errors import BadRequest
from shared.kill import Kill
from shared.store.objects import changed_kill, lifted_kill, new_kill


class KillSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`selector` names what is stopped, each dimension a glob: `{agent: planner}`, `{all: "*"}`. `reason` is
    told to those it stops.
    """

    selector: dict[str, str]
    reason: Reason = ""


class Kills:
    name, area, snapshots, alone = "kill", "kills", ("kills",), False

    async def held(self, control: Control, ask: Ask) -> list[Held]:
        tenant, found = ask.tenant(), []
        for kept in await control.store.kept_kills():
            record = kept.record
            assert isinstance(record, Kill)
            if tenant in (None, record.selector.get("tenant")):
                spec = KillSpec(selector=record.selector, reason=record.reason)
                found.append(holding(record.id, spec, kept.content))
        return found

    async def put(
        self, control: Control, ask: Ask, name: str, spec: Struct, held: Held | None, reason: str
    ) -> Step:
        assert isinstance(spec, KillSpec)
        selector = checked(spec.selector)
        confine(ask, selector.get("tenant", ""))
        if not NAME.fullmatch(name):
            raise BadRequest("a kill's name is up to 63 letters, digits, dots, - and _")
        if held is not None:
            old = msgspec.json.decode(held.content, type=Kill)
            changed = msgspec.structs.replace(old, selector=selector, reason=spec.reason, by=ask.caller.actor)
            return Step(writes=(changed_kill(held.content, changed),))
        kill = Kill(id=name, selector=selector, reason=spec.reason, by=ask.caller.actor, at=control.now_us())
        return Step(writes=(new_kill(kill),))

    async def remove(self, control: Control, ask: Ask, held: Held) -> Step:
        lifted = lifted_kill(held.content, held.name, control.now_us(), ask.caller.actor)
        return Step(writes=(lifted,))
