"""Which A2A version and extensions a request speaks: the `A2A-Version` and `A2A-Extensions` headers.

A request without a version is 0.3 by the specification. Every operation was renamed in 1.0, so an
operation with a 1.0 name needs no header to be understood, and is served.
"""

import re
from collections.abc import Sequence
from urllib.parse import parse_qs

from agent_gateway import methods
from shared.asgi import Exchange
from shared.dialects import a2a
from shared.errors import BadRequest

SUPPORTED = "1.0"
_SPOKEN = re.compile(r"1\.0(\.\d+)?")


def check_version(exchange: Exchange, method: str) -> None:
    """Raises BadRequest (-32009) for any version but ours."""
    asked = exchange.header("a2a-version") or _from_query(exchange.query)
    if asked is None and not methods.earlier(method):
        return
    if asked is None or not _SPOKEN.fullmatch(asked.strip()):
        shown = (
            "0.3, which a request without A2A-Version is taken for," if asked is None else repr(asked[:40])
        )
        raise BadRequest(
            f"A2A version {shown} is not supported: send `A2A-Version: {SUPPORTED}`",
            code=a2a.VERSION_NOT_SUPPORTED,
            data={"supportedVersions": SUPPORTED},
        )


def extensions(exchange: Exchange, allowed: frozenset[str]) -> tuple[str, ...]:
    """The extensions that the request asks for and that may go on to agents; others are left out unsaid."""
    values = [value.decode("latin-1") for name, value in exchange.headers if name == b"a2a-extensions"]
    return allowed_extensions(values, allowed)


def allowed_extensions(values: Sequence[str], allowed: frozenset[str]) -> tuple[str, ...]:
    asked = (uri.strip() for value in values for uri in value.split(","))
    return tuple(dict.fromkeys(uri for uri in asked if uri in allowed))


def _from_query(query: str) -> str | None:
    values = parse_qs(query).get("A2A-Version")
    return values[-1] if values else None
