"""Where a Redis is and what has to be said first on a connection to it. Opens nothing."""

import ssl
from urllib.parse import unquote, urlsplit

from msgspec import Struct


class RedisAddress(Struct, frozen=True):
    """`path` is set for a unix socket; `handshake` is what opens a connection, its last command a PING."""

    path: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    handshake: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """`unix:///path.sock?db=0`, `redis://[[user]:password@]host:port/db`, `rediss://…` for TLS."""
        parts = urlsplit(url)
        if parts.scheme not in ("unix", "redis", "rediss"):
            raise ValueError(
                f"an address of Redis starts with unix://, redis:// or rediss://, not {parts.scheme!r}"
            )
        unix = parts.scheme == "unix"
        db = parts.query.removeprefix("db=") if unix else parts.path.strip("/")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        handshake: list[tuple[str, ...]] = []
        if password:
            handshake.append(("AUTH", user, password) if user else ("AUTH", password))
        if db not in ("", "0"):
            handshake.append(("SELECT", db))
        return cls(
            path=unquote(parts.path) if unix else "",
            host=parts.hostname or "127.0.0.1",
            port=0 if unix else parts.port or 6379,
            tls=ssl.create_default_context() if parts.scheme == "rediss" else None,
            handshake=(*handshake, ("PING",)),
        )

    def __str__(self) -> str:
        """Without the password: this is shown."""
        return f"unix://{self.path}" if self.path else f"{self.host}:{self.port}"
