"""Calls that ask for a person's consent, over a real Valkey."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from shared.account import Flight
from shared.approvals import Approval, Bell, Book, Park
from shared.asgi import Exchange
from shared.clock import Clock
from shared.config import ApprovalsSection
from shared.errors import Unapproved
from shared.identity.keys import KeyRecord, Keyring
from shared.identity.principal import Caller
from shared.policy import Approval as Rule
from shared.policy import Grant, Policy, PolicyBox, PolicyRules, authorize
from shared.policy import Rule as Allow
from shared.redis_client import Redis
from tests.support.frame import Frame
from tests.support.serve import someone
from tests.support.wait import eventually

TOOL = "tool:pay/send"
ARGUMENTS = b'{"to": "bob", "amount": 100}'
RULES = PolicyRules(
    rules=[Allow(id="all", sub="*", dom="*", obj="*", act="*")],
    approvals=[Rule(id="money", sub="*", dom="*", obj="tool:pay/*", act="*")],
)

KEYS = [KeyRecord(id=id, hash=id, sub="user:alice", tenant="acme", created_at=1) for id in ("k1", "k2")]
# What an agent of alice's waits for.
ASKED = Approval(
    id="a1",
    tenant="acme",
    service="mcp_gateway",
    chain="c1",
    principal="user:alice",
    actors=("user:alice", "agent:planner"),
    resource="tool:pay/send",
    action="invoke",
    digest="",
    preview="{}",
    rule="money",
    approver="operator",
    epoch=1,
    entry="e1",
    created=0,
    expires=1,
)


Then = Callable[[Flight], Awaitable[None]]


async def _sent(flight: Flight) -> None:
    flight.sends()


class Asking:
    """Two replicas that ask, and the book that both write in."""

    def __init__(self, redis: Redis, section: ApprovalsSection) -> None:
        self.redis = redis
        self.keyring = Keyring(Clock(), KEYS)
        self.box = PolicyBox(Policy.compile(RULES, 7))
        self.book = Book(redis, Clock())
        self.announced: list[Approval] = []
        self.bells = [Bell(redis) for _ in range(2)]
        self.replicas = [
            Park(self.book, bell, self.box, self.keyring, section, Clock(), self._announce)
            for bell in self.bells
        ]

    async def _announce(self, approval: Approval) -> None:
        self.announced.append(approval)

    def grant(self, caller: Caller, resource: str = TOOL) -> Grant:
        return authorize(self.box.current, caller, resource, "invoke")

    def call(
        self,
        caller: Caller | None = None,
        arguments: bytes = ARGUMENTS,
        *,
        replica: int = 0,
        resource: str = TOOL,
        then: Then = _sent,
    ) -> "Running":
        """`then` is what becomes of it once it may go on."""
        return Running(self, caller or someone(key="k1"), arguments, replica, resource, then)

    async def pending(self, count: int = 1) -> list[str]:
        """The ids of what waits, oldest first."""

        async def enough() -> list[str]:
            found = [filed async for filed in self.book.newest(None) if filed.word.state == "pending"]
            return [filed.approval.id for filed in reversed(found)] if len(found) == count else []

        return await eventually(enough, f"{count} calls that wait")

    async def waited_for(self, approval: str, calls: int) -> None:
        async def enough() -> bool:
            found = await self.redis.execute("HGET", f"gs:{{approvals}}:one:{approval}", "waiting")
            return int(found) == calls

        await eventually(enough, f"{calls} calls that wait for one approval")

    async def state(self, approval: str) -> str:
        filed = await self.book.find(approval)
        return filed.word.state if filed is not None else ""


class Running:
    """One call in a frame of its own, as it runs."""

    def __init__(
        self, asking: Asking, caller: Caller, arguments: bytes, replica: int, resource: str, then: Then
    ) -> None:
        self.frame = Frame()
        self._asking = asking
        self._then = then
        self._task = asyncio.create_task(self._run(caller, arguments, replica, resource))

    async def _run(self, caller: Caller, arguments: bytes, replica: int, resource: str) -> dict[str, Any]:
        async def stage(flight: Flight, exchange: Exchange) -> None:
            flight.entry.service = "mcp_gateway"
            grant = self._asking.grant(caller, resource)
            await self._asking.replicas[replica](flight, grant, arguments)
            await self._then(flight)
            await exchange.reply(200, [], b"done")

        return await self.frame.run(stage)

    def cut(self, error: Exception) -> None:
        """The kill switch, or a client that leaves."""
        assert self.frame.kills.cut is not None
        self.frame.kills.cut(error)

    def stop(self) -> None:
        self._task.cancel()

    @property
    def done(self) -> bool:
        return self._task.done()

    async def ended(self) -> dict[str, Any]:
        """Its entry."""
        return await self._task

    async def refused(self) -> dict[str, Any]:
        """What it was refused with."""
        entry = await self.ended()
        assert (entry["outcome"], entry["reason"]) == ("refused", Unapproved.reason), entry
        error: dict[str, Any] = msgspec.json.decode(self.frame.wire.body)["error"]
        return error


@contextlib.asynccontextmanager
async def asking(redis: Redis, *, deaf: bool = False, **section: Any) -> AsyncIterator[Asking]:
    """`deaf` replicas hear nothing of decisions until they look."""
    made = Asking(redis, ApprovalsSection(**{"wait_seconds": 20, **section}))
    listening = [asyncio.create_task(bell.run()) for bell in made.bells if not deaf]
    try:
        yield made
    finally:
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


@pytest.fixture
async def desk(redis: Redis) -> AsyncIterator[Asking]:
    async with asking(redis) as made:
        yield made
