"""Agents: look at a card, register its agent, list, quarantine, approve what has changed, remove.

An address comes from whoever calls, so it must be public, is not followed anywhere else, and what it answers
is not believed further than its hash.
"""

import re
from typing import Any, Literal

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from shared.agents import DRIFT, AgentRecord, Delegation, Drift, State, trusted_keys
from shared.bridges import Bridge, ChatBridge
from shared.card_trust import Trusted, trusted
from shared.egress import Egress
from shared.errors import BadRequest, NotFound, UpstreamFault
from shared.http_client import HttpClient
from shared.redis_client import Redis

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_CAP = 262_144
_SECONDS = 10.0
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
        look = ask.read(Look)
        judged = await self._judged(look.card_url, look.keys)
        return 200, _previewed(judged)

    async def put(self, control: Control, ask: Ask) -> Answer:
        record = await self.registered(control, ask, ask.names["name"], ask.read(Wanted))
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
        tenant = ask.tenant(ask.query.get("tenant"))
        records = await control.store.agents(tenant)
        drifts = await self._drifts()
        known = {record.name for record in records}
        found = [_shown(record, drifts.get(record.name)) for record in records]
        if ask.all_tenants and tenant is None:
            rest = (name for name in drifts if name not in known)
            found += [_shown(AgentRecord(name=name), drifts[name]) for name in sorted(rest)]
        return 200, {"agents": found}

    async def remove(self, control: Control, ask: Ask) -> Answer:
        name = ask.names["name"]
        if not any(record.name == name for record in await control.store.agents(ask.tenant())):
            raise NotFound(f"no agent {name} is registered")
        await control.remove_agent(name, ask.tenant())
        await self._redis.execute("HDEL", DRIFT, name)
        return 200, {"removed": name}

    async def approve(self, control: Control, ask: Ask) -> Answer:
        """From now on the card that has drifted is the approved one."""
        name, wanted = ask.names["name"], ask.read(Approval) if ask.body else Approval()
        record, drift = await self._drifted(control, ask, name)
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
        await control.put_agent(approved)
        await self._redis.execute("HDEL", DRIFT, name)
        return 200, _shown(approved, None)

    async def dismiss(self, control: Control, ask: Ask) -> Answer:
        """The agent is looked at anew: it comes back if its card is again the approved one."""
        name = ask.names["name"]
        await self._drifted(control, ask, name)
        await self._redis.execute("HDEL", DRIFT, name)
        return 200, {"dismissed": name}

    async def _drifted(self, control: Control, ask: Ask, name: str) -> tuple[AgentRecord, Drift]:
        records = await control.store.agents(ask.tenant())
        record = next((record for record in records if record.name == name), None)
        if (
            record is None
            and ask.all_tenants
            and all(r.name != name for r in await control.store.agents(None))
        ):
            # An agent of the configuration file, of which nobody has said anything yet.
            record = AgentRecord(name=name)
        drift = (await self._drifts()).get(name)
        if record is None or drift is None:
            raise NotFound(f"nothing about an agent {name} waits for approval")
        return record, drift

    async def _drifts(self) -> dict[str, Drift]:
        flat = await self._redis.execute("HGETALL", DRIFT)
        return {flat[at].decode(): _DRIFT.decode(flat[at + 1]) for at in range(0, len(flat), 2)}

    async def _judged(self, url: str, keys: tuple[dict[str, Any], ...]) -> Trusted:
        """The card at `url`. Raises BadRequest, Forbidden for an address that is not public."""
        pinned = await self._egress.check(url)
        try:
            async with await self._http.send(
                "GET",
                url,
                headers=[("accept", "application/json")],
                header_timeout=_SECONDS,
                idle_timeout=_SECONDS,
                pinned=pinned,
            ) as reply:
                if reply.status != 200:
                    raise BadRequest(f"card_url: it answered {reply.status}, and is not followed elsewhere")
                body = await reply.read(_CAP)
            card = msgspec.json.decode(body)
            if not isinstance(card, dict) or not isinstance(card.get("name"), str):
                raise BadRequest("card_url: what is there is no agent's card")
            return trusted(card, trusted_keys(keys))
        except UpstreamFault as error:
            raise BadRequest(f"card_url: {error.detail}", cause=error) from error
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the card or a key cannot be used: {error}", cause=error) from error


def pages(http: HttpClient, egress: Egress, redis: Redis) -> tuple[Page, ...]:
    agents, one = Agents(http, egress, redis), "/agents/{name}"
    return (
        Page(method="GET", path="/agents", area="agents", action="read", call=agents.listing),
        Page(method="POST", path="/agents/preview", area="agents", action="manage", call=agents.preview),
        Page(method="PUT", path=one, area="agents", action="manage", call=agents.put),
        Page(method="DELETE", path=one, area="agents", action="manage", call=agents.remove),
        Page(method="POST", path=one + "/approve", area="agents", action="manage", call=agents.approve),
        Page(method="POST", path=one + "/dismiss", area="agents", action="manage", call=agents.dismiss),
    )


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
