"""Which A2A version a request speaks: the `A2A-Version` header (or query parameter), and what it asks for.

A request without a version is 0.3 by the specification. Every operation was renamed in 1.0, so an
operation with a 1.0 name or path needs no header to be understood, and is served.
"""

import re
from urllib.parse import parse_qs

from agent_gateway import methods
from shared.asgi import Exchange
from shared.dialects import a2a
from shared.errors import BadRequest

CURRENT, EARLIER = "1.0", "0.3"
SUPPORTED = f"{EARLIER}, {CURRENT}"
_SPOKEN = re.compile(r"(1\.0|0\.3)(\.\d+)?")
_EARLIER_PATH = "/v1/"


def of_method(exchange: Exchange, method: str) -> str:
    """The version of a JSON-RPC request. Raises BadRequest (-32009) for any other version than ours, and
    for one that has no such operation.
    """
    named = EARLIER if methods.earlier(method) else CURRENT
    asked = _asked(exchange)
    if asked is not None and asked != named and (methods.known(method) or methods.earlier(method)):
        raise _refused(f"{method} is an operation of A2A {named}, and not of {asked}", named)
    return named


def of_path(exchange: Exchange, path: str) -> str:
    """The version of a request over HTTP+JSON: both have the same paths, below `/v1` in 0.3."""
    asked = _asked(exchange)
    if asked is None:
        return EARLIER if path.startswith(_EARLIER_PATH) else CURRENT
    if asked == EARLIER and not path.startswith(_EARLIER_PATH):
        raise _refused(f"A2A 0.3 has no path {path[:100]}", CURRENT)
    return asked


def _asked(exchange: Exchange) -> str | None:
    given = exchange.header("a2a-version")
    given = given if given is not None else _from_query(exchange.query)
    if given is None or not given.strip():
        return None
    found = _SPOKEN.fullmatch(given.strip())
    if found is None:
        raise _refused(f"A2A version {given[:40]!r} is not supported", CURRENT)
    return found[1]


def _refused(what: str, wanted: str) -> BadRequest:
    return BadRequest(
        f"{what}: send `A2A-Version: {wanted}`",
        code=a2a.VERSION_NOT_SUPPORTED,
        data={"supportedVersions": SUPPORTED},
    )


def _from_query(query: str) -> str | None:
    values = parse_qs(query).get("A2A-Version")
    return values[-1] if values else None
