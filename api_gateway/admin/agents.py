"""Agents: look at a card, register its agent, list, quarantine, approve what has changed, remove.

An address comes from whoever calls, so it must be public, is not followed anywhere else, and what it answers
is not believed further than its hash.
"""

import re
from typing import Any, Literal

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Call, Page
from api_gateway.admin.conditional import Changed, etag
from api_gateway.admin.fetched import fetched
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from shared.agents import DRIFT, AgentRecord, Delegation, Drift, State, trusted_keys
from shared.bridges import Bridge, ChatBridge
from shared.card_trust import Trusted, trusted
from shared.egress import Egress
from shared.errors import BadRequest, Forbidden, NotFound
from shared.http_client import HttpClient
from shared.jsonrpc import refuse_duplicates
from shared.redis_client import Redis
from shared.store import Kept, Unmet
from shared.store.objects import changed_agent

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_CAP = 262_144
_SECONDS = 10.0
_LISTED = Listed(member="agents", key=("name",), filters=("owner", "state", "labels"))
_DRIFT = msgspec.json.Decoder(Drift)
_SHOWN = ("name", "description", "version", "provider", "skills", "capabilities")


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `bridge` is registered where there is no agent. Without it and a `card_url` it says more about an
    agent of the configuration file. `pin` refuses another card than the one that was looked at.
    """

    card_url: str = ""
    tenant: str = ""
    owner: str = ""
    version: str = ""
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    state: State = "active"
    reason: str = ""
    bridge: Bridge | None = None
    credential: Literal["delegation", "none"] = "delegation"
    delegation: Delegation = Delegation()
    keys: tuple[dict[str, Any], ...] = ()
    pin: str = ""


class Look(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    card_url: str
    keys: tuple[dict[str, Any], ...] = ()


class Approval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`pin` is the hash of the card that was looked at, so that no other is approved."""

    pin: str = ""


class Agents:
    """The calls of the pages below."""

    def __init__(self, http: HttpClient, egress: Egress, redis: Redis) -> None:
        self._http = http
        self._egress = egress
        self._redis = redis

    async def preview(self, control: Control, ask: Ask) -> Answer:
        """The card at an address, with its hash and who has signed it; nothing is kept."""
        look = ask.read(Look)
        judged = await self._judged(look.card_url, look.keys)
        return 200, _previewed(judged)

    async def put(self, control: Control, ask: Ask) -> Answer:
        """Registers an agent, or registers it anew; with `if-match`, only what is as its author has seen."""
        name, wanted = ask.names["name"], ask.read(Wanted)
        kept = await _kept(control, ask, name) if ask.if_match else None
        if ask.if_match and (kept is None or ask.if_match.strip() != etag(kept.content)):
            raise Changed(f"the agent {name} is not what you have seen any more: look at it again")
        record = await self.registered(control, ask, name, wanted)
        if kept is not None:
            await _change(control, kept, record)
        else:
            await control.put_agent(record)
        await self.looked_at(record.name)
        return 200, _shown(record, None)

    async def registered(self, control: Control, ask: Ask, name: str, wanted: Wanted) -> AgentRecord:
        """What registering `wanted` now would keep. Raises BadRequest, Forbidden."""
        if not _NAME.fullmatch(name):
            raise BadRequest("an agent's name is lower-case letters, digits, - and _")
        tenant = ask.tenant(wanted.tenant) or ""
        await self._check_bridge(wanted)
        judged = await self._judged(wanted.card_url, wanted.keys) if wanted.card_url else None
        if judged is None and wanted.bridge is None and not ask.all_tenants:
            raise BadRequest("card_url: say where the agent's card is")
        if judged is not None and wanted.keys and not judged.signed:
            raise BadRequest("none of these keys has signed the card")
        if judged is not None and wanted.pin not in ("", judged.pin):
            raise BadRequest("pin: the card is not the one that you looked at")
        fields = msgspec.structs.asdict(wanted) | {
            "tenant": tenant,
            "pin": judged.pin if judged is not None else wanted.pin,
            "card": judged.content if judged is not None else {},
        }
        return AgentRecord(name=name, by=ask.caller.actor, at=control.now_us(), **fields)

    async def looked_at(self, name: str) -> None:
        """What had been noticed about its card is settled."""
        await self._redis.execute("HDEL", DRIFT, name)

    async def _check_bridge(self, wanted: Wanted) -> None:
        """Raises BadRequest, and Forbidden for an address that is not public."""
        bridge = wanted.bridge
        if bridge is None:
            return
        if wanted.card_url or wanted.keys or wanted.pin:
            raise BadRequest("bridge: its card is made here: leave card_url, keys and pin out")
        url = bridge.url if isinstance(bridge, ChatBridge) else ""
        if url:
            await self._egress.check(url)
        elif wanted.credential != "delegation":
            raise BadRequest("credential: what goes back through the edge needs the delegation token")

    async def listing(self, control: Control, ask: Ask) -> Answer:
        """Registered agents, and every agent in quarantine with what has changed."""
        tenant = ask.tenant(ask.query.get("tenant"))
        drifts = await self._drifts()
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
        """Takes an agent out of the registry."""
        name = ask.names["name"]
        if not any(record.name == name for record in await control.store.agents(ask.tenant())):
            raise NotFound(f"no agent {name} is registered")
        await control.remove_agent(name, ask.tenant())
        await self._redis.execute("HDEL", DRIFT, name)
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
        await self._redis.execute("HDEL", DRIFT, name)
        return 200, _shown(approved, None)

    async def dismiss(self, control: Control, ask: Ask) -> Answer:
        """The agent is looked at anew: it comes back if its card is again the approved one."""
        name = ask.names["name"]
        await self._drifted(control, ask, name)
        await self._redis.execute("HDEL", DRIFT, name)
        return 200, {"dismissed": name}

    async def _drifted(self, control: Control, ask: Ask, name: str) -> tuple[Kept | None, Drift]:
        """What is registered of it (None: it is of the configuration file, and nobody has said anything yet),
        and what has changed. Raises NotFound.
        """
        kept = await _kept(control, ask, name)
        drift = (await self._drifts()).get(name)
        taken = kept is None and any(_record(one).name == name for one in await control.store.kept_agents())
        if drift is None or taken or (kept is None and not ask.all_tenants):
            raise NotFound(f"nothing about an agent {name} waits for approval")
        return kept, drift

    async def _drifts(self) -> dict[str, Drift]:
        flat = await self._redis.execute("HGETALL", DRIFT)
        return {flat[at].decode(): _DRIFT.decode(flat[at + 1]) for at in range(0, len(flat), 2)}

    async def _judged(self, url: str, keys: tuple[dict[str, Any], ...]) -> Trusted:
        """The card at `url`. Raises BadRequest, Forbidden for an address that is not public."""
        body = await fetched(self._http, self._egress, url, field="card_url", cap=_CAP, seconds=_SECONDS)
        try:
            card = msgspec.json.decode(body)
            refuse_duplicates(body)
            if not isinstance(card, dict) or not isinstance(card.get("name"), str):
                raise BadRequest("card_url: what is there is no agent's card")
            return trusted(card, trusted_keys(keys))
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the card or a key cannot be used: {error}", cause=error) from error


def pages(http: HttpClient, egress: Egress, redis: Redis) -> tuple[Page, ...]:
    agents, one = Agents(http, egress, redis), "/agents/{name}"

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
        )

    return (
        page("GET", "/agents", "read", agents.listing, lists=_LISTED),
        page("POST", "/agents/preview", "manage", agents.preview, Look),
        page("PUT", one, "manage", agents.put, Wanted),
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
    try:
        await control.write([changed_agent(kept.content, agent)], ["agents"])
    except Unmet as error:
        raise Changed(f"the agent {agent.name} has been changed meanwhile: look at it again") from error
    await control.publish(["agents"])


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
