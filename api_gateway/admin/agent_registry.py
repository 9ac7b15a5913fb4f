"""The registry of agents: what is kept of one when it is registered, and what has been noticed about its card
since.

An address comes from whoever calls, so it must be public, is not followed anywhere else, and what it answers
is not believed further than its hash.
"""

import re
from typing import Any, Literal

import msgspec
from msgspec import Struct

from api_gateway.admin import Ask
from api_gateway.admin.fetched import fetched
from api_gateway.control import Control
from shared.agents import DRIFT, AgentRecord, Delegation, Drift, State, trusted_keys
from shared.bridges import Bridge, ChatBridge
from shared.card_trust import Trusted, trusted
from shared.egress import Egress
from shared.errors import BadRequest
from shared.http_client import HttpClient
from shared.jsonrpc import refuse_duplicates
from shared.redis_client import Redis

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_CAP = 262_144
_SECONDS = 10.0
_DRIFT = msgspec.json.Decoder(Drift)


class AgentSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


class AgentRegistry:
    def __init__(self, http: HttpClient, egress: Egress, redis: Redis) -> None:
        self._http = http
        self._egress = egress
        self._redis = redis

    async def registered(self, control: Control, ask: Ask, name: str, wanted: AgentSpec) -> AgentRecord:
        """What registering `wanted` now would keep. Raises BadRequest, Forbidden."""
        if not _NAME.fullmatch(name):
            raise BadRequest("an agent's name is lower-case letters, digits, - and _")
        tenant = ask.tenant(wanted.tenant) or ""
        await self.check_bridge(wanted)
        judged = await self.judged(wanted.card_url, wanted.keys) if wanted.card_url else None
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
        """What had been noticed about its card is settled. Raises Unavailable."""
        await self._redis.execute("HDEL", DRIFT, name)

    async def check_bridge(self, wanted: AgentSpec) -> None:
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

    async def drifts(self) -> dict[str, Drift]:
        flat = await self._redis.execute("HGETALL", DRIFT)
        return {flat[at].decode(): _DRIFT.decode(flat[at + 1]) for at in range(0, len(flat), 2)}

    async def judged(self, url: str, keys: tuple[dict[str, Any], ...]) -> Trusted:
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
