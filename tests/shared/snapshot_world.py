"""A control plane and its readers over one Redis, and somebody who may write there without being either."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from shared.clock import Clock
from shared.http_client import HttpClient
from shared.identity.signing import Signer
from shared.identity.verify import Verifier
from shared.redis_client import Redis
from shared.snapshots import EPOCHS, TYPE, Snapshots
from tests.support.clock import FakeClock

KEY = "gs:snapshot:kills"


class World:
    def __init__(self, redis: Redis, directory: Path) -> None:
        self.redis = redis
        self.clock = FakeClock()
        self.edge, self.agents = Signer("api_gateway"), Signer("agent_gateway")
        self.trust = {}
        for signer in (self.edge, self.agents):
            file = directory / signer.issuer
            file.write_bytes(signer.jwks())
            self.trust[signer.issuer] = str(file)
        self.publisher = Snapshots(redis, None, self.clock)
        self.snapshots, self.applied = self.reader()

    def reader(self, *, poll_seconds: float = 1.0) -> tuple[Snapshots, list[tuple[bytes, int]]]:
        """Another process: what it has been given, in order."""
        verifier = Verifier(self.trust, http=HttpClient(), clock=Clock())
        snapshots = Snapshots(self.redis, verifier, self.clock, poll_seconds=poll_seconds)
        applied: list[tuple[bytes, int]] = []
        snapshots.on("kills", lambda payload, epoch: applied.append((payload, epoch)))
        return snapshots, applied

    async def publish(self, payload: bytes, epoch: int, name: str = "kills") -> None:
        await self.publisher.publish(name, payload, epoch, self.edge)

    async def forge(
        self,
        payload: bytes,
        epoch: int,
        changed: Mapping[str, object] | None = None,
        *,
        signer: Signer | None = None,
        typ: str = TYPE,
    ) -> None:
        """Writes into Redis as somebody may who can write there, and can have things signed."""
        claims = {"name": "kills", "epoch": epoch, "sha256": hashlib.sha256(payload).hexdigest()}
        token = (signer or self.edge).sign({**claims, **(changed or {})}, typ=typ)
        await self.plant(token.encode() + b"\n" + payload, epoch)

    async def plant(self, value: bytes, epoch: int) -> None:
        await self.redis.execute("SET", KEY, value)
        await self.redis.execute("HSET", EPOCHS, "kills", epoch)

    async def held(self) -> bytes:
        value: bytes = await self.redis.execute("GET", KEY)
        return value
