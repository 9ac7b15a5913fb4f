"""Lists in pages, as OpenAI's clients ask for them and go through them."""

from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw, Struct

from llm_gateway.endpoints.owned import Held
from shared.errors import BadRequest


class Page(Struct, frozen=True):
    after: str
    limit: int
    oldest_first: bool
    purpose: str


def page_of(query: str, *, most: int, usual: int = 0) -> Page:
    """Raises BadRequest."""
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    limit = given.get("limit", str(usual or most))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= most):
        raise BadRequest(f"limit must be a number from 1 to {most}", data={"param": "limit"})
    order = given.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("order must be asc or desc", data={"param": "order"})
    return Page(given.get("after", ""), int(limit), order == "asc", given.get("purpose", ""))


def listed(shown: Sequence[Raw], held: Sequence[Held], more: bool) -> bytes:
    ends = {"first_id": held[0].id, "last_id": held[-1].id} if held else {}
    return msgspec.json.encode({"object": "list", "data": shown, **ends, "has_more": more})
