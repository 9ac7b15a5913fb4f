"""Which web pages may call a route, as browsers ask for it (the Fetch standard, "HTTP-CORS protocol")."""

import re
from typing import Annotated

from msgspec import Meta, Struct

from shared.asgi import Exchange, Headers

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:_]+")
_OURS = b"access-control-"
# What no page can read without our help: whose call it was, and when to come back.
_EXPOSED = ("x-gatestack-call", "x-gatestack-chain", "retry-after")


class CorsRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pages of `origins` (`https://app.example.com`; `*` is any) may call with `methods` and `headers`, and
    read `expose` beside the headers that everybody may. There are no cookies here: a page brings a key or a
    token.
    """

    origins: Annotated[list[str], Meta(min_length=1)]
    methods: tuple[str, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[str, ...] = ("authorization", "content-type")
    expose: list[str] = []
    max_age_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 600

    def allows(self, origin: str) -> bool:
        return "*" in self.origins or origin.lower() in self.origins

    def preflight(self, origin: str) -> list[tuple[bytes, bytes]]:
        """What a browser is told that asks before it calls."""
        told = {
            "access-control-allow-methods": ", ".join(self.methods),
            "access-control-allow-headers": ", ".join(self.headers),
            "access-control-max-age": str(self.max_age_seconds),
        }
        return [*self._named(origin), *((name.encode(), value.encode()) for name, value in told.items())]

    def changed(self, headers: Headers, origin: str | None) -> list[tuple[bytes, bytes]]:
        """An answer's headers with ours, and without what a service says of pages itself."""
        kept = [header for header in headers if not header[0].lower().startswith(_OURS)]
        if origin is None or not self.allows(origin):
            return [*kept, (b"vary", b"origin")]
        exposed = ", ".join((*_EXPOSED, *self.expose)).encode()
        return [*kept, *self._named(origin), (b"access-control-expose-headers", exposed)]

    def _named(self, origin: str) -> list[tuple[bytes, bytes]]:
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]


def asked_method(exchange: Exchange) -> str | None:
    """The method that a page wants to call with, where this is a browser's question."""
    if exchange.method != "OPTIONS" or exchange.header_or_none("origin") is None:
        return None
    return exchange.header_or_none("access-control-request-method")


def problems(path: str, rule: CorsRule | None) -> list[str]:
    """What is wrong with a rule, as `path: problem`."""
    if rule is None:
        return []
    return [
        f"{path}.origins[{place}]: {origin!r} is no origin: lower case, as https://app.example.com"
        for place, origin in enumerate(rule.origins)
        if origin != "*" and (origin != origin.lower() or not _ORIGIN.fullmatch(origin))
    ]
