"""The control plane: it owns what every service obeys (keys, kills, policy) and publishes it as signed
snapshots.

The store is the truth; a snapshot is a copy that services can live on without it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from api_gateway.regions.elsewhere import refuse
from shared.agents import AgentRecord
from shared.clock import Clock
from shared.errors import Forbidden, Unavailable
from shared.identity.keys import KeyRecord, new_key, rotated
from shared.identity.signing import Signer
from shared.kill import Kill
from shared.ledger.entry import new_id
from shared.policy import PolicyBox, PolicyRules
from shared.redis_client import RedisError
from shared.service_accounts import ServiceAccount, silenced, stopped
from shared.snapshots import Snapshots, Superseded
from shared.store import PolicyVersion, Store, Unmet, Write
from shared.store.objects import rotated_key

_REPUBLISH_SECONDS = 2.0
# Signing keys are retired: what has not been changed for long must not be left with a signature of one.
_RENEW_SECONDS = 3600.0
_SEEN_SECONDS = 2.0
_PUBLISH_ATTEMPTS = 5
_CONFIGURATION = "configuration"


class Control:
    """Where another control plane, `plane`, is obeyed, nothing is changed: that raises Elsewhere."""

    def __init__(
        self,
        store: Store,
        snapshots: Snapshots,
        signer: Signer,
        policy: PolicyBox,
        clock: Clock,
        *,
        plane: str = "",
    ) -> None:
        self.store = store
        self.plane = plane
        self.policy = policy
        self._snapshots = snapshots
        self._signer = signer
        self._clock = clock
        self._published: dict[str, int] = {}
        # How often each snapshot has been changed in the store, and which of these changes are published.
        self._changed: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._lock = asyncio.Lock()

    async def start(self, rules: PolicyRules) -> None:
        """Makes the configured policy the current version and publishes everything."""
        await self._adopt_policy(rules)
        await self.publish_keys()
        await self.publish_kills()
        await self._publish("agents")
        await self._publish("catalog")

    async def run(self) -> None:
        """Publishes again what Redis has lost (an emptied Redis would otherwise leave new processes without
        a policy), what it did not take or whose author did not wait (a kill that is listed is in force), and
        once in an hour everything.
        """
        signed_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(_REPUBLISH_SECONDS)
            owed = {name for name in self._changed if self._changed[name] > self._told[name]}
            if self._clock.monotonic() - signed_at > _RENEW_SECONDS:
                signed_at = self._clock.monotonic()
                owed.update(self._published)
            for name in owed.union(await self._snapshots.missing(self._published)):
                await self._publish(name)

    def now_us(self) -> int:
        return self._clock.now_us()

    async def create_key(self, draft: KeyRecord) -> tuple[str, KeyRecord]:
        """The new key's secret, shown this once, and its record (`hash` and `created_at` are set here, and
        an `id` that is not given).
        """
        secret, fields = new_key()
        if draft.id:
            fields["id"] = draft.id
        record = msgspec.structs.replace(draft, **fields, created_at=self.now_us())
        await self._change("keys", partial(self.store.add_key, record))
        return secret, record

    async def rotate_key(self, key: KeyRecord, overlap_seconds: int) -> tuple[str, KeyRecord]:
        """The key's new secret, shown this once, and its record; the old one is good for `overlap_seconds`
        more. Raises Superseded when somebody else has changed, rotated or revoked it meanwhile.
        """
        secret, record = rotated(key, self.now_us() + overlap_seconds * 1_000_000)
        kept = next((kept for kept in await self.store.kept_keys() if kept.record == key), None)
        try:
            if kept is None:
                raise Unmet(0)
            await self.write([rotated_key(kept.content, record)], ["keys"])
        except Unmet as error:
            raise Superseded(f"the key {key.id} has been changed meanwhile") from error
        await self.publish(["keys"])
        return secret, record

    async def revoke_key(self, key: str) -> None:
        await self._change("keys", partial(self.store.revoke_key, key, self.now_us()))

    async def add_kill(self, selector: dict[str, str], reason: str, by: str) -> Kill:
        kill = Kill(id=new_id(), selector=selector, reason=reason, by=by, at=self._clock.now_us())
        await self._change("kills", partial(self.store.add_kill, kill))
        return kill

    async def lift_kill(self, kill: str, by: str) -> None:
        await self._change("kills", partial(self.store.lift_kill, kill, self.now_us(), by))

    async def kills(self) -> list[Kill]:
        """All in force: those that were ordered, and those that disabled service accounts come to."""
        implied = stopped(await self._accounts())
        return [*await self.store.kills(), *implied]

    async def put_agent(self, agent: AgentRecord) -> None:
        """Raises Forbidden where another tenant has the name."""
        taken = True

        async def write() -> None:
            nonlocal taken
            taken = not await self.store.put_agent(agent)

        await self._change("agents", write)
        if taken:
            raise Forbidden(f"the name {agent.name} is taken")

    async def remove_agent(self, name: str, tenant: str | None) -> None:
        await self._change("agents", partial(self.store.remove_agent, name, tenant))

    async def write(self, writes: Sequence[Write], snapshots: Sequence[str]) -> None:
        """Makes all of these changes or, raising Unmet, none. They are in force once `publish` has told of
        the `snapshots` that they belong to, or `run` has.
        """
        refuse(self.plane)
        try:
            await self.store.write(writes)
        finally:
            self._changed.update(snapshots)

    async def publish(self, snapshots: Sequence[str]) -> None:
        for name in snapshots:
            await self._publish(name)

    async def publish_keys(self) -> None:
        await self._publish("keys")

    async def publish_kills(self) -> None:
        await self._publish("kills")

    async def publish_policy(self) -> None:
        await self._publish("policy")

    async def change_policy(self, rules: PolicyRules, *, after: int, by: str, reason: str) -> PolicyVersion:
        """Publishes `rules` as the version that follows number `after`. Raises Superseded when that is not
        the newest any more: somebody else has changed it.
        """
        refuse(self.plane)
        latest = await self.store.latest_policy()
        number, version = (latest.number, latest.version) if latest else (0, 0)
        draft = PolicyVersion(
            version=self._next_epoch(version),
            rules=msgspec.json.encode(rules),
            number=number + 1,
            author=by,
            reason=reason,
            at=self.now_us(),
        )
        if number != after or not await self.store.add_policy(draft):
            raise Superseded(f"the policy is no longer at version {after}")
        self._changed["policy"] += 1
        await self.publish_policy()
        return draft

    async def _adopt_policy(self, rules: PolicyRules) -> None:
        """A configuration that was adopted before is not adopted again: what operators have published since
        then stays in force over a restart.
        """
        # Read first: what another edge adopts from here on is seen below, or found to have come between.
        latest = await self.store.latest_policy()
        adopted = await self.store.latest_policy(_CONFIGURATION)
        if adopted is not None and msgspec.json.decode(adopted.rules, type=PolicyRules) == rules:
            await self.publish_policy()
            return
        # Superseded means that another edge does the same: the next try finds it done.
        number = latest.number if latest else 0
        await self.change_policy(rules, after=number, by=_CONFIGURATION, reason="start")

    async def _change(self, name: str, write: Callable[[], Awaitable[Any]]) -> None:
        """Writes to the store and publishes it. What has been written is published by `run` at the latest."""
        refuse(self.plane)
        try:
            await write()
        finally:
            self._changed[name] += 1
        await self._publish(name)

    async def _publish(self, name: str) -> None:
        """Publishes what the store holds now. Another edge may do so too: the later one reads again. Raises
        Unavailable.
        """
        async with self._lock:
            for _ in range(_PUBLISH_ATTEMPTS):
                changes = self._changed[name]
                payload, epoch = await self._current(name)
                try:
                    await self._snapshots.publish(name, payload, epoch, self._signer)
                except Superseded as error:
                    # By an edge whose clock may be ahead of ours: an order must not wait until ours is there.
                    self._published[name] = max(self._published.get(name, 0), error.epoch)
                    continue
                except RedisError as error:
                    raise Unavailable(
                        f"Redis does not take the {name} at the moment", retry_after=1, cause=error
                    ) from error
                self._published[name], self._told[name] = epoch, changes
                if self._snapshots.obeys(name):
                    await self._seen(name, epoch)
                return
        raise Unavailable(
            f"the {name} could not be published: another edge keeps publishing them", retry_after=1
        )

    async def _current(self, name: str) -> tuple[bytes, int]:
        if name == "policy":
            latest = await self.store.latest_policy()
            return (latest.rules, latest.version) if latest else (b"{}", 1)
        read: dict[str, Callable[[], Awaitable[Any]]] = {
            "keys": self._keys,
            "kills": self.kills,
            "agents": lambda: self.store.agents(None),
            "catalog": self.store.catalog_entries,
        }
        return msgspec.json.encode(await read[name]()), self._next_epoch(self._published.get(name, 0))

    async def _keys(self) -> list[KeyRecord]:
        accounts = await self._accounts()
        return silenced(await self.store.keys(None), accounts)

    async def _accounts(self) -> list[ServiceAccount]:
        """Read before keys and kills: one that is removed meanwhile leaves its mark on those."""
        records = [kept.record for kept in await self.store.kept_accounts()]
        return [record for record in records if isinstance(record, ServiceAccount)]

    def _next_epoch(self, last: int) -> int:
        """Milliseconds since 1970: it rises over restarts, over several edges and over an emptied Redis."""
        return max(last + 1, int(self._clock.now() * 1000))

    async def _seen(self, name: str, epoch: int) -> None:
        """Waits, bounded, until this process itself obeys what it has published: the next request may depend
        on it.
        """
        deadline = self._clock.monotonic() + _SEEN_SECONDS
        while self._snapshots.epochs().get(name, 0) < epoch and self._clock.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
