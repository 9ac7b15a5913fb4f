"""Which definitions of tools are trusted, and which wait for somebody to look at them: in Redis, one truth
for all replicas. What counts as a change is decided where tools are listed; edge and CLI approve or reject.
"""

import difflib

import msgspec
from msgspec import Struct

from shared.clock import Clock
from shared.errors import NotFound
from shared.redis_client import Redis, Script

CHANNEL = "gs:mcp:pins"
_WAITING_SERVERS = "gs:{mcp}:waiting"
_LONGEST_KEPT = 32_768

# KEYS pins, waiting, servers · ARGV server, number of pins, (tool, pin)…, (tool, waiting)…
_RECORD = Script("""
local lost, at = 0, 3
for _ = 1, tonumber(ARGV[2]) do
  if redis.call('HSETNX', KEYS[1], ARGV[at], ARGV[at + 1]) == 0 then lost = lost + 1 end
  at = at + 2
end
redis.call('DEL', KEYS[2])
if at > #ARGV then
  redis.call('SREM', KEYS[3], ARGV[1])
else
  redis.call('SADD', KEYS[3], ARGV[1])
end
while at < #ARGV do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
return lost
""")
# KEYS pins, waiting, servers, rejected
# ARGV server, tool, what was waiting when it was looked at, pin, channel
_APPROVE = Script("""
if redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[4], ARGV[2])
if redis.call('HLEN', KEYS[2]) == 0 then redis.call('SREM', KEYS[3], ARGV[1]) end
redis.call('PUBLISH', ARGV[5], ARGV[1])
return 1
""")


# KEYS waiting, rejected · ARGV tool, what was waiting when it was looked at, rejection
_REJECT = Script("""
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
""")


class Pin(Struct, frozen=True, kw_only=True):
    """The definition of a tool that is trusted. `by` approved it; "" where it was pinned at first sight.

    `definition` is canonical JSON, empty where it was too long to keep.
    """

    digest: str
    definition: bytes
    at: int
    by: str = ""


class Waiting(Struct, frozen=True, kw_only=True):
    """A definition that is not shown until somebody approves it, and why."""

    tool: str
    digest: str
    definition: bytes
    findings: tuple[str, ...]


class Rejection(Struct, frozen=True, kw_only=True):
    """The definition with this digest stays out of sight, and nobody needs to look at it again."""

    digest: str
    at: int
    by: str
    why: str = ""


class Review(Struct, frozen=True, kw_only=True):
    """What somebody who approves has to see. `difference` is a unified diff, from nothing for a new tool."""

    server: str
    waiting: Waiting
    pinned: Pin | None
    rejected: Rejection | None
    difference: tuple[str, ...]


class ToolPins:
    """Raises Unavailable when Redis is gone, everywhere."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def pins(self, server: str) -> dict[str, Pin]:
        found = await self._redis.execute("HGETALL", _pins(server))
        return {name.decode(): msgspec.msgpack.decode(pin, type=Pin) for name, pin in _pairs(found)}

    async def record(
        self, server: str, fresh: dict[str, tuple[str, bytes]], waiting: dict[str, Waiting]
    ) -> bool:
        """Pins what is seen for the first time (digest and definition by tool) and replaces what waits.
        False when another replica has pinned any of it just before: look again.
        """
        at = self._clock.now_us()
        args: list[bytes | str | int] = [server, len(fresh)]
        for name, (digest, definition) in fresh.items():
            args += [name, msgspec.msgpack.encode(Pin(digest=digest, definition=_kept(definition), at=at))]
        for name, one in waiting.items():
            kept = msgspec.structs.replace(one, definition=_kept(one.definition))
            args += [name, msgspec.msgpack.encode(kept)]
        return not await self._redis.run(_RECORD, _keys(server), args)

    async def reviews(self, server: str = "") -> list[Review]:
        """What waits, of `server` or of all."""
        servers = (
            [server]
            if server
            else sorted(map(_text, await self._redis.execute("SMEMBERS", _WAITING_SERVERS)))
        )
        return [review for name in servers for review in await self._of(name)]

    async def approve(self, server: str, tool: str, digest: str, by: str) -> Pin:
        """Trusts the definition with this digest and no other. Raises NotFound when that does not wait (any
        more).
        """
        raw, waiting = await self._looked_at(server, tool, digest)
        pin = Pin(digest=digest, definition=waiting.definition, at=self._clock.now_us(), by=by)
        args = (server, tool, raw, msgspec.msgpack.encode(pin), CHANNEL)
        if not await self._redis.run(_APPROVE, (*_keys(server), _rejected(server)), args):
            raise _nothing(server, tool)
        return pin

    async def reject(self, server: str, tool: str, digest: str, by: str, why: str = "") -> Rejection:
        """This definition stays held; another one would wait again. Raises NotFound like `approve`."""
        raw, _ = await self._looked_at(server, tool, digest)
        rejection = Rejection(digest=digest, at=self._clock.now_us(), by=by, why=why)
        keys, args = (_waiting(server), _rejected(server)), (tool, raw, msgspec.msgpack.encode(rejection))
        if not await self._redis.run(_REJECT, keys, args):
            raise _nothing(server, tool)
        return rejection

    async def forget(self, server: str, tool: str) -> bool:
        """The next definition that is seen counts as the first. False where none was pinned."""
        await self._redis.execute("HDEL", _rejected(server), tool)
        pinned = await self._redis.execute("HDEL", _pins(server), tool)
        await self._redis.execute("PUBLISH", CHANNEL, server)
        return bool(pinned)

    async def _looked_at(self, server: str, tool: str, digest: str) -> tuple[bytes, Waiting]:
        raw = await self._redis.execute("HGET", _waiting(server), tool)
        waiting = msgspec.msgpack.decode(raw, type=Waiting) if raw else None
        if waiting is None or waiting.digest != digest:
            raise _nothing(server, tool)
        return raw, waiting

    async def _of(self, server: str) -> list[Review]:
        found, pins = await self._redis.execute("HGETALL", _waiting(server)), await self.pins(server)
        said = await self._redis.execute("HGETALL", _rejected(server))
        rejections = {
            name.decode(): msgspec.msgpack.decode(one, type=Rejection) for name, one in _pairs(said)
        }
        waiting = (msgspec.msgpack.decode(raw, type=Waiting) for _, raw in _pairs(found))
        return [
            Review(
                server=server,
                waiting=one,
                pinned=pins.get(one.tool),
                rejected=_about(one, rejections.get(one.tool)),
                difference=difference(pins.get(one.tool), one),
            )
            for one in sorted(waiting, key=lambda one: one.tool)
        ]


def _about(waiting: Waiting, rejection: Rejection | None) -> Rejection | None:
    """What was said of another definition says nothing of this one."""
    return rejection if rejection is not None and rejection.digest == waiting.digest else None


def _nothing(server: str, tool: str) -> NotFound:
    return NotFound(f"no such definition of {server}/{tool} waits for approval: look at what does")


def difference(pin: Pin | None, waiting: Waiting) -> tuple[str, ...]:
    """What has changed, line by line, without characters that a terminal or a reader would not see."""
    before = _lines(pin.definition) if pin is not None else []
    return tuple(difflib.unified_diff(before, _lines(waiting.definition), "pinned", "seen", lineterm="", n=2))


def _lines(definition: bytes) -> list[str]:
    if not definition:
        return ["(too long to keep)"]
    text = msgspec.json.format(definition, indent=2).decode()
    visible = "".join(
        char if char == "\n" or char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text
    )
    return visible.split("\n")


def _kept(definition: bytes) -> bytes:
    return definition if len(definition) <= _LONGEST_KEPT else b""


def _pairs(found: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(found[::2], found[1::2], strict=True))


def _text(raw: bytes) -> str:
    return raw.decode()


def _keys(server: str) -> tuple[str, str, str]:
    return _pins(server), _waiting(server), _WAITING_SERVERS


def _pins(server: str) -> str:
    return f"gs:{{mcp}}:pins:{server}"


def _waiting(server: str) -> str:
    return f"gs:{{mcp}}:waiting:{server}"


def _rejected(server: str) -> str:
    return f"gs:{{mcp}}:rejected:{server}"
