"""A request that ends at the edge at any moment leaves nothing behind, and is on record once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from api_gateway.idempotency_keys import Claim
from shared.asgi import Receive, Scope, Send
from tests.api_gateway.exchanging import token_gate
from tests.api_gateway.fronted import Front, fronted
from tests.support.approving import Spending, approving
from tests.support.cutting import PLACES, Cutting, Held, Kind
from tests.support.serve import Running, serving
from tests.support.wait import eventually

EVENTS = [("content-type", "text/event-stream")]
KEPT = [("cache-control", "max-age=600")]
CHECKED = [("cache-control", "max-age=0, must-revalidate"), ("etag", '"x"')]


class Answering:
    """Answers in three pieces, and the first `refuses` times not at all."""

    def __init__(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.refuses = 0
        self._headers = [(name.encode(), value.encode()) for name, value in headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            pass
        status, self.refuses = (503 if self.refuses else 200), max(0, self.refuses - 1)
        await send({"type": "http.response.start", "status": status, "headers": self._headers})
        for _ in range(2):
            await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
            # What is sent in one turn is read in one.
            await asyncio.sleep(0.001)
        await send({"type": "http.response.body", "body": b"data: y\n\n"})


class Cut:
    """An edge whose requests are cut, before one service or several."""

    def __init__(self, front: Front, *services: Held) -> None:
        self.front = front
        self.cutting = Cutting(front.edge)
        self._services = services
        for one in services:
            one.cutting = self.cutting

    async def ask(self, path: str = "/r0/a", **how: Any) -> int:
        return (await self.front.ask(path, **how)).status

    def left(self) -> Iterator[str]:
        for service in self._services:
            yield from service.left()
        upstreams = self.front.edge.app.state.upstreams
        yield from (f"{gate._running} inside" for gate in upstreams.gates if gate._running or gate.waiting)
        for pool in upstreams.pools:
            yield from (f"{one.in_flight} at {one.name}" for one in pool.members if one.in_flight)
        yield from ("others wait" for cache in upstreams.caches if cache.collapse._leaders)


@contextlib.asynccontextmanager
async def edge(
    directory: Path, service: Answering, *more: Answering, asks: str = "", **route: Any
) -> AsyncIterator[Cut]:
    async with contextlib.AsyncExitStack() as stack:
        held = [Held(one) for one in (service, *more)]
        urls = [await stack.enter_async_context(serving(one)) for one in held]
        yield Cut(
            await stack.enter_async_context(
                fronted(directory, {"urls": urls, **route}, asks=asks, limits=PLACES)
            ),
            *held,
        )


async def _body(pieces: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        yield b"x" * 100_000
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("headers", "route", "pieces"),
    [
        ((), {}, 0),
        (EVENTS, {}, 3),
        (KEPT, {"cache": {}}, 0),
        (CHECKED, {"cache": {}}, 0),
    ],
    ids=["plain", "with streams both ways", "known already", "asked about again"],
)
async def test_a_request(
    tmp_path: Path, headers: Sequence[tuple[str, str]], route: dict[str, Any], pieces: int
) -> None:
    async with edge(tmp_path, Answering(headers), **route) as cut:

        async def send() -> int:
            return await cut.ask(method="POST", body=_body(pieces)) if pieces else await cut.ask()

        await cut.cutting.everywhere(Kind(send=send, left=cut.left), stride=3)


async def test_a_request_whose_answer_is_to_be_kept(tmp_path: Path) -> None:
    async with edge(tmp_path, Answering(KEPT), cache={}) as cut:

        async def send() -> int:
            return await cut.ask(f"/r0/{uuid4().hex}")

        await cut.cutting.everywhere(Kind(send=send, left=cut.left), stride=3)


async def test_a_request_with_an_idempotency_key(tmp_path: Path) -> None:
    service = Answering()
    async with edge(tmp_path, service, idempotency={}) as cut:
        # What was begun for a key is brought to its end: its service must not wait for its client to leave.
        cut._services[0].cutting = None

        async def send() -> int:
            return await cut.ask(method="POST", body=b"x", idempotency_key=uuid4().hex)

        async def again() -> int:
            assert await _being_answered(cut.front.edge) == []
            return await send()

        await cut.cutting.everywhere(Kind(send=send, again=again, left=cut.left), stride=3)


async def _being_answered(edge: Running) -> list[str]:
    """The idempotency keys of which somebody who sends them again would hear that."""
    names = await edge.parts.redis.execute("KEYS", "gs:{acme}:once:*:by")
    found = {name: await edge.parts.redis.execute("GET", name.removesuffix(b":by")) for name in names}
    claims = {name: msgspec.msgpack.decode(claim, type=Claim) for name, claim in found.items() if claim}
    return [name.decode() for name, claim in claims.items() if claim.state == "open"]


async def test_a_request_that_is_sent_to_another_replica(tmp_path: Path) -> None:
    first, balance = Answering(), {"strategy": "round_robin", "retries": {"share": 1.0, "burst": 1000}}
    async with edge(tmp_path, first, Answering(), balance=balance) as cut:

        async def before() -> None:
            first.refuses = 1

        async def again() -> int:
            first.refuses = 0
            return await cut.ask()

        kind = Kind(before=before, send=cut.ask, again=again, left=cut.left)
        await cut.cutting.everywhere(kind, stride=3)


async def test_a_request_that_waits_for_its_turn(tmp_path: Path) -> None:
    turns = {"limit": 1, "queue": 5, "wait_seconds": 10}
    async with edge(tmp_path, Answering(), concurrency=turns) as cut:
        [gate] = [one for one in cut.front.edge.app.state.upstreams.gates if one.limit == 1]

        async def send() -> int:
            async with gate.place():
                asking = asyncio.create_task(cut.ask())
                await eventually(lambda: gate.waiting or asking.done(), "it waits, or is over")
            try:
                return await asking
            finally:
                asking.cancel()

        kind = Kind(send=send, again=cut.ask, left=cut.left)
        await cut.cutting.everywhere(kind, stride=3)


async def test_a_request_that_waits_for_a_person(tmp_path: Path) -> None:
    turns = {"limit": 5, "queue": 5}
    async with edge(tmp_path, Answering(), asks="route:r0", concurrency=turns) as cut:
        parts, [service] = cut.front.edge.parts, cut._services

        async def send() -> int:
            async with approving(parts):
                return await cut.ask(method="POST", body=b"x")

        spending = Spending(parts, lambda: service.arrived)
        await spending.everywhere(cut.cutting, send, cut.left, stride=6)


async def test_a_request_that_is_refused_before_its_body_is_there(tmp_path: Path) -> None:
    async with edge(tmp_path, Answering()) as cut:

        async def send() -> int:
            return await cut.ask("/nowhere", method="POST", body=_body(2))

        await cut.cutting.everywhere(Kind(send=send, left=cut.left, status=404, outcome="refused"))


async def test_an_exchange_of_tokens(tmp_path: Path) -> None:
    async with token_gate(tmp_path) as gate:
        subject = gate.token()

        async def send() -> int:
            return (await gate.ask(subject, audience="agent_gateway")).status

        await Cutting(gate.edge).everywhere(Kind(send=send))
