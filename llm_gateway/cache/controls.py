"""What a caller says about keeping: `cache-control` as in RFC 9111 section 5.2.1, and our own header for the
time.
"""

from msgspec import Struct

from shared.asgi import Exchange
from shared.errors import BadRequest

TTL_HEADER = "x-gatestack-cache-ttl"
_LONGEST = 30 * 86_400


class Controls(Struct, frozen=True):
    """`max_age` and `ttl` in seconds; None where the caller did not say."""

    serve: bool = True
    keep: bool = True
    max_age: int | None = None
    ttl: int | None = None


_USUAL = Controls()


def controls(exchange: Exchange) -> Controls:
    """Raises BadRequest for a time that is none."""
    wish, ttl = exchange.header_or_none("cache-control"), exchange.header(TTL_HEADER)
    if wish is None and ttl is None:
        return _USUAL
    said = _directives(wish or "")
    age = said.get("max-age")
    return Controls(
        serve="no-cache" not in said,
        keep="no-store" not in said,
        max_age=None if age is None else _seconds(age, "cache-control: max-age"),
        ttl=None if ttl is None else _seconds(ttl, TTL_HEADER),
    )


def _directives(text: str) -> dict[str, str]:
    pairs = (part.strip().lower().partition("=") for part in text.split(","))
    return {name: value.strip('"') for name, _, value in pairs if name}


def _seconds(text: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequest(f"{where} must be a number of seconds")
    return min(int(text), _LONGEST)
