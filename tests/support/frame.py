"""The frame of one request without a server: a ledger that keeps, a kill switch that a test pulls by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from shared.account import Account, Flight
from shared.asgi import Exchange, Message
from shared.clock import Clock
from shared.dialects.openai import OpenAI
from shared.identity.principal import Caller, Principal
from shared.ledger.entry import Entry
from shared.telemetry import Telemetry
from tests.support.exchange import Wire, exchange

CALLER = Caller(
    principal=Principal(sub="user:alice", tenant="acme"), actors=("user:alice",), chain="c1", credential="key"
)
Body = Callable[[Flight, Exchange], Awaitable[None]]


class KeptLedger:
    """Keeps what was closed, and how much had been sent by then."""

    def __init__(self, wire: Wire) -> None:
        self.closed: list[dict[str, Any]] = []
        self.sent: list[int] = []
        self._wire = wire

    async def close(self, entry: Entry, lease: object) -> None:
        await asyncio.sleep(0)
        self.closed.append(msgspec.to_builtins(entry))
        self.sent.append(len(self._wire.sent))


class Kills:
    """A kill switch that a test pulls by hand."""

    def __init__(self) -> None:
        self.cut: Callable[[Exception], None] | None = None
        self.refuse: Exception | None = None
        self.left = 0

    def check(self, entry: Entry) -> None:
        if self.refuse is not None:
            raise self.refuse

    def enter(self, entry: Entry, cut: Callable[[Exception], None]) -> int:
        self.cut = cut
        return 1

    def leave(self, token: int) -> None:
        self.left += 1


class OpenWire(Wire):
    """A client that stays until the test lets it go."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    async def receive(self) -> Message:
        if self.incoming:
            return self.incoming.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Frame:
    def __init__(self, wire: Wire | None = None, dialect: Any = None) -> None:
        self.wire = wire or OpenWire()
        self.ledger, self.kills = KeptLedger(self.wire), Kills()
        self.exchange = exchange(wire=self.wire)
        self.dialect = dialect or OpenAI()
        self.flight: Flight | None = None
        ledger: Any = self.ledger
        kills: Any = self.kills
        self.account = Account("llm_gateway", ledger, kills, Telemetry("llm_gateway"), Clock())

    async def run(self, body: Body) -> dict[str, Any]:
        async with self.account(self.exchange, self.dialect) as flight:
            self.flight = flight
            flight.identify(CALLER)
            await body(flight, self.exchange)
        return self.entry

    @property
    def entry(self) -> dict[str, Any]:
        [entry] = self.ledger.closed
        assert self.kills.left == 1
        return entry
