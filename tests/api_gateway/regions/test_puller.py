"""Whatever somebody between a region and its control plane sends: only what is signed, and never older than
what was signed last, reaches the region's Redis.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api_gateway.regions.kept import Kept
from api_gateway.regions.puller import Puller
from api_gateway.regions.report import Report
from api_gateway.regions.wire import Pull, Pulled, Signed
from shared.background import cancelled
from shared.clock import Clock
from shared.http_client import HttpClient
from shared.identity.signing import Signer
from shared.identity.verify import Verifier
from shared.redis_client import Redis
from shared.roll_call import RollCall
from shared.snapshots import TYPE, Snapshots
from tests.support.serve import serving
from tests.support.wait import eventually


class Between:
    """Somebody who answers in the control plane's place, and notes what is asked. `signer` is its own."""

    def __init__(self) -> None:
        self.signer = Signer("api_gateway")
        self.asked: list[Pull] = []
        self.keys: list[str] = []
        self.answer: bytes | Pulled = Pulled({})
        self.status = 200
        self.app = Starlette(
            routes=[
                Route("/.well-known/jwks.json", self._jwks),
                Route("/admin/api/regions/pull", self._pull, methods=["POST"]),
            ]
        )

    def signed(
        self, payload: bytes, epoch: int, name: str = "kills", signer: Signer | None = None, typ: str = TYPE
    ) -> Signed:
        claims = {"name": name, "epoch": epoch, "sha256": hashlib.sha256(payload).hexdigest()}
        return Signed((signer or self.signer).sign(claims, typ=typ), Raw(payload))

    def says(self, **changed: Signed) -> None:
        self.answer = Pulled(changed)

    async def _jwks(self, _: Request) -> Response:
        return Response(self.signer.jwks())

    async def _pull(self, request: Request) -> Response:
        self.keys.append(request.headers["authorization"])
        self.asked.append(msgspec.json.decode(await request.body(), type=Pull))
        body = self.answer if isinstance(self.answer, bytes) else msgspec.json.encode(self.answer)
        return Response(body, self.status)


class World:
    def __init__(self, between: Between, puller: Puller, snapshots: Snapshots, redis: Redis) -> None:
        self.between = between
        self.puller = puller
        self.snapshots = snapshots
        self.redis = redis

    async def taken(self, epoch: int, name: str = "kills") -> None:
        async def there() -> bool:
            return (await self.snapshots.published()).get(name) == epoch

        await eventually(there, f"epoch {epoch} of {name}")

    async def asked_again(self, count: int = 2) -> None:
        before = len(self.between.asked)
        await eventually(lambda: len(self.between.asked) >= before + count, "asked again")


@contextlib.asynccontextmanager
async def pulling(between: Between, redis: Redis, directory: Path, **more: Any) -> AsyncIterator[World]:
    http, clock = HttpClient(), Clock()
    async with serving(between.app) as url:
        verifier = Verifier({"api_gateway": f"{url}/.well-known/jwks.json"}, http=http, clock=clock)
        snapshots = Snapshots(redis, verifier, clock)
        report = Report(RollCall(redis, snapshots, clock, "api_gateway", list), clock)
        puller = Puller(
            url,
            "gsk_secret",
            http=http,
            snapshots=snapshots,
            report=report,
            kept=Kept(directory / "kept"),
            clock=clock,
            **more,
        )
        task = asyncio.create_task(puller.run())
        try:
            yield World(between, puller, snapshots, redis)
        finally:
            await cancelled(task)
            await verifier.close()


@pytest.fixture
async def world(redis: Redis, tmp_path: Path) -> AsyncIterator[World]:
    async with pulling(Between(), redis, tmp_path) as found:
        yield found


async def test_what_is_signed_is_laid_as_it_came_and_told_by_its_mark(world: World) -> None:
    signed = world.between.signed(b'[ {"any": 1}]', 7)
    world.between.says(kills=signed)
    await world.taken(7)
    assert await world.snapshots.signed("kills") == signed.value
    await world.asked_again()
    assert set(world.between.asked[-1].holds) == {"kills"}
    assert set(world.between.keys) == {"Bearer gsk_secret"}


async def test_what_is_not_the_control_planes_word_is_never_laid(world: World) -> None:
    between = world.between
    good = between.signed(b"[1]", 5)
    between.says(kills=good)
    await world.taken(5)
    other = Signer("api_gateway")
    forged: dict[str, Signed] = {
        "another's signature": between.signed(b"[]", 9, signer=other),
        "another issuer": between.signed(b"[]", 9, signer=Signer("agent_gateway")),
        "changed content": Signed(between.signed(b"[1]", 9).signature, Raw(b"[]")),
        "another name": between.signed(b"[]", 9, name="keys"),
        "another type": between.signed(b"[]", 9, typ="txn+jwt"),
        "no signature": Signed("", Raw(b"[]")),
        "older": between.signed(b"[]", 4),
    }
    for why, signed in forged.items():
        between.says(kills=signed)
        await world.asked_again()
        await eventually(lambda: bool(world.puller.trouble), why)
        assert await world.snapshots.signed("kills") == good.value, why
        between.says()
        await eventually(lambda: not world.puller.trouble, "well again")


@pytest.mark.parametrize("answer", [b"", b"[]", b"{", b'{"changed":{"kills":{}}}', b"null", b"\xff"])
async def test_an_answer_that_is_none_changes_nothing(world: World, answer: bytes) -> None:
    world.between.says(kills=world.between.signed(b"[1]", 5))
    await world.taken(5)
    world.between.answer = answer
    await eventually(lambda: bool(world.puller.trouble), "it is told")
    assert (await world.snapshots.published()) == {"kills": 5}


async def test_one_that_is_bad_keeps_no_other_from_being_taken(world: World) -> None:
    bad = Signed("nonsense", Raw(b"[]"))
    wild = {"../../etc": world.between.signed(b"[]", 1, name="../../etc")}
    world.between.says(kills=bad, policy=world.between.signed(b"{}", 3, name="policy"), **wild)
    await world.taken(3, "policy")
    assert (await world.snapshots.published()) == {"policy": 3}
    assert world.puller.trouble


async def test_of_several_that_are_new_the_kill_list_is_laid_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid: list[str] = []
    lay = world.snapshots.lay

    async def noted(name: str, value: bytes) -> None:
        laid.append(name)
        await lay(name, value)

    monkeypatch.setattr(world.snapshots, "lay", noted)
    names = ("agents", "catalog", "keys", "kills", "policy")
    world.between.says(**{name: world.between.signed(b"[]", 3, name=name) for name in names})
    await world.taken(3, "catalog")
    assert laid[:5] == ["kills", "keys", "policy", "agents", "catalog"]


async def test_a_refusal_is_told_and_the_last_good_stays(world: World) -> None:
    world.between.says(kills=world.between.signed(b"[1]", 5))
    await world.taken(5)
    world.between.status = 403
    await eventually(lambda: "403" in world.puller.trouble, "it is told")
    assert (await world.snapshots.published()) == {"kills": 5}


async def test_nothing_older_is_taken_after_a_restart_with_an_empty_redis(
    redis: Redis, tmp_path: Path
) -> None:
    between = Between()
    async with pulling(between, redis, tmp_path) as world:
        between.says(kills=between.signed(b"[5]", 5))
        await world.taken(5)
        kept = tmp_path / "kept" / "kills.snapshot"
        await eventually(kept.exists, "it is kept")
        assert kept.stat().st_mode & 0o077 == 0
    await redis.execute("FLUSHALL")
    between.says(kills=between.signed(b"[]", 4))
    async with pulling(between, redis, tmp_path) as world:
        await world.taken(5)
        await eventually(lambda: "epoch 4 was offered" in world.puller.trouble, "the old one is refused")


async def test_a_control_plane_without_news_does_not_pass_for_one_that_is_gone(
    redis: Redis, tmp_path: Path
) -> None:
    between = Between()
    async with pulling(between, redis, tmp_path, outage_seconds=1.0) as world:
        between.says(kills=between.signed(b"[1]", 5))
        await world.taken(5)
        await eventually(lambda: any(pull.wait_seconds for pull in between.asked), "it waits for news")
        await world.asked_again()
        assert max(pull.wait_seconds for pull in between.asked) <= 0.5


async def test_the_same_signed_anew_is_taken_so_that_its_key_may_be_retired(world: World) -> None:
    first, second = (
        world.between.signed(b"{}", 3, name="policy"),
        world.between.signed(b"{}", 3, name="policy"),
    )
    assert first.signature != second.signature
    world.between.says(policy=first)
    await world.taken(3, "policy")
    world.between.says(policy=second)

    async def renewed() -> bool:
        return await world.snapshots.signed("policy") == second.value

    await eventually(renewed, "the new signature")
