"""Agents: look at a card, register its agent, list, quarantine, approve what has changed, remove."""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Call, Page
from api_gateway.admin.agent_registry import AgentRegistry, AgentSpec
from api_gateway.admin.conditional import Changed, etag
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from shared.agents import AgentRecord, Drift
from shared.card_trust import Trusted
from shared.errors import BadRequest, Forbidden, NotFound
from shared.store import Kept, Unmet, Write
from shared.store.objects import changed_agent, removed_agent, unmark

_LISTED = Listed(member="agents", key=("name",), filters=("owner", "state", "labels"))
_SHOWN = ("name", "description", "version", "provider", "skills", "capabilities")


class Look(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    card_url: str
    keys: tuple[dict[str, Any], ...] = ()


class Approval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`pin` is the hash of the card that was looked at, so that no other is approved."""

    pin: str = ""


class Agents:
    """The calls of the pages below."""

    def __init__(self, registry: AgentRegistry) -> None:
        self._registry = registry

    async def preview(self, control: Control, ask: Ask) -> Answer:
        """The card at an address, with its hash and who has signed it; nothing is kept."""
        look = ask.read(Look)
        judged = await self._registry.judged(look.card_url, look.keys)
        return 200, _previewed(judged)

    async def put(self, control: Control, ask: Ask) -> Answer:
        """Registers an agent, or registers it anew; with `if-match`, only what is as its author has seen."""
        name, wanted = ask.names["name"], ask.read(AgentSpec)
        kept = await _kept(control, ask, name) if ask.if_match else None
        if ask.if_match:
            _check_seen(ask, name, kept)
        record = await self._registry.registered(control, ask, name, wanted)
        if kept is not None:
            await _change(control, kept, record)
        else:
            await control.put_agent(record)
        await self._registry.looked_at(record.name)
        return 200, _shown(record, None)

    async def listing(self, control: Control, ask: Ask) -> Answer:
        """Registered agents, and every agent in quarantine with what has changed."""
        tenant = ask.tenant(ask.query.get("tenant"))
        drifts = await self._registry.drifts()
        found = []
        for kept in await control.store.kept_agents():
            record = _record(kept)
            if tenant in (None, record.tenant):
                found.append(_shown(record, drifts.get(record.name)) | {"etag": etag(kept.content)})
        found.sort(key=lambda one: str(one["name"]))
        known = {one["name"] for one in found}
        if ask.all_tenants and tenant is None:
            rest = (name for name in drifts if name not in known)
            found += [_shown(AgentRecord(name=name), drifts[name]) for name in sorted(rest)]
        return 200, {"agents": found}

    async def remove(self, control: Control, ask: Ask) -> Answer:
        """Takes an agent out of the registry; with `if-match`, only the one that was seen."""
        name = ask.names["name"]
        kept = await _kept(control, ask, name)
        if kept is None:
            raise NotFound(f"no agent {name} is registered")
        if ask.if_match.strip() in ("", "*"):
            await control.remove_agent(name, ask.tenant())
        else:
            _check_seen(ask, name, kept)
            await _write(control, name, removed_agent(kept.content, name), unmark("agent", name))
        await self._registry.looked_at(name)
        return 200, {"removed": name}

    async def approve(self, control: Control, ask: Ask) -> Answer:
        """From now on the card that has drifted is the approved one."""
        name, wanted = ask.names["name"], ask.read(Approval) if ask.body else Approval()
        kept, drift = await self._drifted(control, ask, name)
        record = _record(kept) if kept is not None else AgentRecord(name=name)
        if wanted.pin not in ("", drift.pin):
            raise BadRequest("pin: the card has changed again since you looked at it")
        if record.keys and not drift.signed:
            raise BadRequest("no approval stands in for a signature: register the agent with its new keys")
        approved = msgspec.structs.replace(
            record,
            pin=drift.pin,
            card=drift.card,
            state="active",
            reason="",
            by=ask.caller.actor,
            at=control.now_us(),
        )
        if kept is not None:
            await _change(control, kept, approved)
        else:
            await control.put_agent(approved)
        await self._registry.looked_at(name)
        return 200, _shown(approved, None)

    async def dismiss(self, control: Control, ask: Ask) -> Answer:
        """The agent is looked at anew: it comes back if its card is again the approved one."""
        name = ask.names["name"]
        await self._drifted(control, ask, name)
        await self._registry.looked_at(name)
        return 200, {"dismissed": name}

    async def _drifted(self, control: Control, ask: Ask, name: str) -> tuple[Kept | None, Drift]:
        """What is registered of it (None: it is of the configuration file, and nobody has said anything yet),
        and what has changed. Raises NotFound.
        """
        kept = await _kept(control, ask, name)
        drift = (await self._registry.drifts()).get(name)
        taken = kept is None and any(_record(one).name == name for one in await control.store.kept_agents())
        if drift is None or taken or (kept is None and not ask.all_tenants):
            raise NotFound(f"nothing about an agent {name} waits for approval")
        return kept, drift


def pages(registry: AgentRegistry) -> tuple[Page, ...]:
    agents, one = Agents(registry), "/agents/{name}"

    def page(
        method: str, path: str, action: str, call: Call, body: Any = None, lists: Listed | None = None
    ) -> Page:
        query = ("tenant",) if lists is not None else ()
        return Page(
            method=method,
            path=path,
            area="agents",
            action=action,
            call=call,
            body=body,
            query=query,
            lists=lists,
            conditional=method in ("PUT", "DELETE"),
        )

    return (
        page("GET", "/agents", "read", agents.listing, lists=_LISTED),
        page("POST", "/agents/preview", "manage", agents.preview, Look),
        page("PUT", one, "manage", agents.put, AgentSpec),
        page("DELETE", one, "manage", agents.remove),
        page("POST", one + "/approve", "manage", agents.approve, Approval | None),
        page("POST", one + "/dismiss", "manage", agents.dismiss),
    )


async def _kept(control: Control, ask: Ask, name: str) -> Kept | None:
    """The agent of that name, where the caller administers it."""
    for kept in await control.store.kept_agents():
        record = _record(kept)
        if record.name == name and ask.tenant() in (None, record.tenant):
            return kept
    return None


def _record(kept: Kept) -> AgentRecord:
    assert isinstance(kept.record, AgentRecord)
    return kept.record


async def _change(control: Control, kept: Kept, agent: AgentRecord) -> None:
    """Raises Changed where somebody else was faster, Forbidden where it would become another tenant's."""
    if _record(kept).tenant != agent.tenant:
        raise Forbidden(f"the name {agent.name} is taken")
    await _write(control, agent.name, changed_agent(kept.content, agent))


async def _write(control: Control, name: str, *writes: Write) -> None:
    try:
        await control.write(writes, ["agents"])
    except Unmet as error:
        raise Changed(f"the agent {name} has been changed meanwhile: look at it again") from error
    await control.publish(["agents"])


def _check_seen(ask: Ask, name: str, kept: Kept | None) -> None:
    """Raises Changed where the caller has seen something else."""
    if kept is None or ask.if_match.strip() not in ("*", etag(kept.content)):
        raise Changed(f"the agent {name} is not what you have seen any more: look at it again")


def _previewed(judged: Trusted) -> dict[str, Any]:
    card = {name: judged.content[name] for name in _SHOWN if name in judged.content}
    return {"pin": judged.pin, "signed": judged.signed, "kid": judged.kid, "card": card}


def _shown(record: AgentRecord, drift: Drift | None) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(record)
    card = shown.pop("card")
    shown["skills"] = [skill.get("id", "") for skill in card.get("skills", []) if isinstance(skill, dict)]
    if drift is not None:
        shown["state"] = "quarantined"
        shown["drift"] = {"pin": drift.pin, "why": drift.why, "changes": drift.changes, "at": drift.at}
    return shown
