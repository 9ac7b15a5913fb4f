"""Stage: a person's consent to one request of a route, where policy asks for it."""

from hashlib import sha256

import msgspec
from msgspec import Raw

from api_gateway.written_path import written_path
from shared.account import Flight
from shared.approvals import Park
from shared.asgi import Exchange
from shared.errors import BadRequest
from shared.jsonrpc import refuse_duplicates
from shared.policy import Grant

# Where people decide: if that waited for a person, nobody could decide on anything.
_DECIDING = "admin:approvals"
_BODY_CAP = 1_048_576


async def approve(park: Park, grant: Grant, exchange: Exchange, flight: Flight) -> None:
    """Consent to exactly this method, address and body, and to what says how that is read. Raises Unapproved,
    Unavailable, TooLarge, BadRequest.
    """
    if not grant.decision.approval or grant.resource == _DECIDING:
        return
    body = await exchange.peek(_BODY_CAP) if exchange.expects_body else b""
    said = {
        "method": exchange.method,
        "host": exchange.header("host") or "",
        "path": written_path(exchange),
        "query": exchange.query,
    }
    await park(flight, grant, msgspec.json.encode(said | (_read(exchange, body) if body else {})))


def _read(exchange: Exchange, body: bytes) -> dict[str, Raw | str]:
    """The body and how it is read: with another boundary, or inflated, the same bytes say something else."""
    kinds = {name: exchange.header(name) or "" for name in ("content-type", "content-encoding")}
    usual = {"content-type": "application/json", "content-encoding": ""}
    return _told(body) if kinds == usual else {**kinds, **_told(body)}


def _told(body: bytes) -> dict[str, Raw | str]:
    """JSON as it is, text as text; of anything else only what it can be known by. Each has a name of its own,
    so that no text passes for the JSON that looks like it.
    """
    try:
        refuse_duplicates(body)
        return {"body": Raw(body)}
    except BadRequest:
        pass
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"bytes": f"{len(body)}, SHA-256 {sha256(body).hexdigest()}"}
