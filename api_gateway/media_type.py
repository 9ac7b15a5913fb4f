"""What a `content-type` says of a body, as far as the edge asks."""

import re

from shared.asgi import Exchange
from shared.errors import BadRequest

_CHARSET = re.compile(r"(?i);\s*charset\s*=\s*\"?([^\s;\"]*)")


def is_json(media: str) -> bool:
    kind = kind_of(media)
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def kind_of(media: str) -> str:
    """A media type without its parameters."""
    return media.partition(";")[0].strip().lower()


def refuse_coded(exchange: Exchange) -> None:
    """Raises BadRequest for a JSON body that the service could read as another one than the edge does."""
    charset = _CHARSET.search(exchange.header("content-type") or "")
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8"):
        # Who honours it reads other values than were checked (RFC 8259 section 8.1).
        raise BadRequest("content-type: JSON is UTF-8, whatever its charset says")
    if exchange.header("content-encoding") not in (None, "identity"):
        raise BadRequest("content-encoding: this body has to be read: send it as it is")
