"""Agents, declared: what is registered of each, with the hash of its approved card. A file without a `pin`
goes with whichever card is approved.
"""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Ask
from api_gateway.admin.agent_registry import AgentRegistry, AgentSpec
from api_gateway.control import Control
from api_gateway.declared import fields
from api_gateway.declared.kind import Held, Step, confine, holding
from shared.agents import AgentRecord
from shared.store.objects import changed_agent, new_agent, removed_agent

# A card that was approved with these stays approved while they stay the same.
_CARD = ("card_url", "keys", "pin", "bridge")


class Agents:
    name, area, snapshots, alone = "agent", "agents", ("agents",), False

    def __init__(self, registry: AgentRegistry) -> None:
        self._registry = registry

    async def held(self, control: Control, ask: Ask) -> list[Held]:
        tenant, found = ask.tenant(), []
        for kept in await control.store.kept_agents():
            record = kept.record
            assert isinstance(record, AgentRecord)
            if tenant in (None, record.tenant):
                found.append(holding(record.name, _spec(record), kept.content))
        return sorted(found, key=lambda one: one.name)

    async def put(
        self, control: Control, ask: Ask, name: str, spec: Struct, held: Held | None, reason: str
    ) -> Step:
        assert isinstance(spec, AgentSpec)
        confine(ask, spec.tenant)
        if held is None:
            record = await self._registry.registered(control, ask, name, spec)
            return Step(writes=(new_agent(record),), then=lambda: self._registry.looked_at(name))
        assert isinstance(held.spec, AgentSpec)
        spec = _pinned(held.spec, spec)
        if all(getattr(spec, part) == getattr(held.spec, part) for part in _CARD):
            await self._registry.check_bridge(spec)
            old = msgspec.json.decode(held.content, type=AgentRecord)
            stamped = {"by": ask.caller.actor, "at": control.now_us()}
            record = msgspec.structs.replace(old, **msgspec.structs.asdict(spec), **stamped)
            return Step(writes=(changed_agent(held.content, record),))
        record = await self._registry.registered(control, ask, name, spec)
        return Step(
            writes=(changed_agent(held.content, record),), then=lambda: self._registry.looked_at(name)
        )

    async def remove(self, control: Control, ask: Ask, held: Held) -> Step:
        return Step(
            writes=(removed_agent(held.content, held.name),),
            then=lambda: self._registry.looked_at(held.name),
        )


def differences(held: AgentSpec, wanted: AgentSpec) -> list[dict[str, Any]]:
    return fields.differences(held, _pinned(held, wanted))


def _pinned(held: AgentSpec, wanted: AgentSpec) -> AgentSpec:
    same = (held.card_url, held.keys, held.bridge) == (wanted.card_url, wanted.keys, wanted.bridge)
    return msgspec.structs.replace(wanted, pin=held.pin) if same and not wanted.pin else wanted


def _spec(record: AgentRecord) -> AgentSpec:
    return AgentSpec(**{name: getattr(record, name) for name in AgentSpec.__struct_fields__})
