"""The door to Redis and Valkey: one connection that every task shares, and one more for each subscription.

While the server is gone callers are refused at once instead of being kept waiting; the connection comes back
by itself.
"""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

import hiredis
from msgspec import Struct

from shared.errors import Unavailable
from shared.redis_address import RedisAddress
from shared.redis_link import GONE, INCOMPLETE, Link, RedisError, Subscription

__all__ = ["Redis", "RedisError", "Script"]

_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_TROUBLE = (OSError, RedisError, Unavailable)
_L = TypeVar("_L", bound=Link)
Argument = bytes | str | int
# The types it comes with allow one argument only.
_pack = cast(Callable[[tuple[Argument, ...]], bytes], hiredis.pack_command)


class Script(Struct, frozen=True, dict=True):
    """A Lua script, which the server knows by its SHA-1."""

    source: str

    @cached_property
    def sha(self) -> str:
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


class Redis:
    """`unix:///path.sock?db=0`, `redis://[[user]:password@]host:port/db` or `rediss://…` (TLS).

    A reply is waited for `timeout` seconds at most: a server that is slower counts as gone. When a connection
    has just broken, callers wait up to a quarter of that for the first attempt to replace it. A command that
    was under way then may or may not have been done: its caller gets Unavailable either way.
    """

    def __init__(self, url: str, *, timeout: float = 2.0) -> None:
        self.generation = 0  # rises with every connection: the server behind a new one may know nothing
        self._address = RedisAddress.parse(url)
        self._timeout = timeout
        self._link: Link | None = None
        self._reviving: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._lost_at = -_LONGEST_PAUSE
        self._closed = False

    @classmethod
    async def connect(cls, url: str, *, timeout: float = 2.0) -> "Redis":
        """Raises Unavailable, with the address, when nobody answers there."""
        redis = cls(url, timeout=timeout)
        try:
            await redis._attach(timeout)
        except _TROUBLE as error:
            why = getattr(error, "cause", None) or error
            raise Unavailable(
                f"no Redis at {redis._address} (state.redis): {why or 'timeout'}", cause=error
            ) from error
        return redis

    async def execute(self, *args: Argument) -> Any:
        """One command. Raises RedisError for the server's own errors, Unavailable when it is gone or slow."""
        link = self._link or await self._revived()
        return await link.submit(_pack(args))

    async def run(self, script: Script, keys: Sequence[str | bytes], args: Sequence[Argument]) -> Any:
        """EVALSHA, and EVAL where the server does not know the script (some proxies block SCRIPT LOAD)."""
        try:
            return await self.execute("EVALSHA", script.sha, len(keys), *keys, *args)
        except RedisError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await self.execute("EVAL", script.source, len(keys), *keys, *args)

    def post(self, script: Script, keys: Sequence[str | bytes], args: Sequence[Argument]) -> None:
        """Sends a script behind everything that was sent before it and waits for nothing. It may be lost."""
        if self._link is not None:
            command = _pack(("EVAL", script.source, len(keys), *keys, *args))
            self._link.submit(command).add_done_callback(_ignore)

    @contextlib.asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The messages of `channel`, on a connection that comes back by itself. `b""` follows each
        (re)connection: what was published before it may have been missed.
        """
        messages = self._messages(channel)
        try:
            yield messages
        finally:
            await messages.aclose()

    async def close(self) -> None:
        self._closed = True
        if self._reviving is not None:
            self._reviving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reviving
        if self._link is not None:
            await self._link.close()

    async def _attach(self, timeout: float) -> None:
        self._link = await self._open(Link(_reader(), self._timeout, self._lost), timeout)
        self.generation += 1

    async def _open(self, link: _L, timeout: float) -> _L:
        loop, address = asyncio.get_running_loop(), self._address
        try:
            async with asyncio.timeout(timeout):
                if address.path:
                    await loop.create_unix_connection(lambda: link, address.path)
                else:
                    await loop.create_connection(lambda: link, address.host, address.port, ssl=address.tls)
                for command in address.handshake:
                    await link.submit(_pack(command))
        except BaseException:
            await link.close()
            raise
        return link

    def _lost(self, link: Link) -> None:
        if link is self._link:
            self._link = None
            if not self._closed:
                loop = asyncio.get_running_loop()
                # At once, but not for a server that hangs up on every connection.
                at_once = loop.time() - self._lost_at > _LONGEST_PAUSE
                self._lost_at = loop.time()
                self._reviving = loop.create_task(self._revive(at_once))
                if at_once:
                    self._tried.clear()

    async def _revive(self, at_once: bool) -> None:
        timeout, pause = (self._timeout / 4, 0.0) if at_once else (self._timeout, _LONGEST_PAUSE)
        try:
            while True:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                with contextlib.suppress(*_TROUBLE):
                    return await self._attach(timeout)
                self._tried.set()
                timeout, pause = self._timeout, min(max(pause * 2, _PAUSE), _LONGEST_PAUSE)
        finally:
            self._tried.set()

    async def _revived(self) -> Link:
        if self._reviving is not None:
            await self._tried.wait()
        if self._link is None:
            raise Unavailable(GONE, cause=f"no connection to {self._address}")
        return self._link

    async def _messages(self, channel: str) -> AsyncGenerator[bytes, None]:
        pause = _PAUSE
        while True:
            link = Subscription(_reader(), self._timeout)
            try:
                await self._open(link, self._timeout)
                await link.submit(_pack(("SUBSCRIBE", channel)))
                pause = _PAUSE
                yield b""
                while True:
                    yield await link.message()
            except _TROUBLE:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            finally:
                await link.close()


def _reader() -> hiredis.Reader:
    return hiredis.Reader(
        protocolError=ConnectionAbortedError, replyError=RedisError, notEnoughData=INCOMPLETE
    )


def _ignore(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
