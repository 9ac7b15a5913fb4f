"""A card's bytes on their way to a caller, with what a cache needs to know about them."""

import hashlib
from email.utils import formatdate

from msgspec import Struct

from shared.asgi import Exchange

_MAX_AGE = 60


class ServedCard(Struct, frozen=True):
    """`since` is when it began to read like this, in seconds since 1970."""

    body: bytes
    etag: str
    since: float

    async def reply(self, exchange: Exchange) -> None:
        """The whole of it, or 304 for whoever has it already."""
        if self.unchanged(exchange.header("if-none-match")):
            await exchange.start(304, self.headers())
            await exchange.finish()
            return
        await exchange.reply(200, self.headers(), b"" if exchange.method == "HEAD" else self.body)

    def unchanged(self, if_none_match: str | None) -> bool:
        """Whether a client that sends this `If-None-Match` has it already (RFC 9110 section 13.1.2)."""
        if if_none_match is None:
            return False
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return "*" in tags or self.etag in tags

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"application/json"),
            # What it says is the agent's: nobody should take it for a page.
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", f"private, max-age={_MAX_AGE}".encode()),
            (b"vary", b"Authorization"),
            (b"etag", self.etag.encode()),
            (b"last-modified", formatdate(self.since, usegmt=True).encode()),
        ]


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
