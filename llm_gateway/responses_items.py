"""The input items of a kept response, as a list in pages."""

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw

from shared.errors import BadRequest

Json = dict[str, Any]
_PAGE, _PAGE_MAX = 20, 100
_decode = msgspec.json.Decoder(list[Json]).decode


def page(input: Raw, query: str) -> Json:
    """The last items first, unless `order` says otherwise. Raises BadRequest."""
    wishes = dict(parse_qsl(query))
    order = wishes.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("order: must be asc or desc", data={"param": "order"})
    items = [_whole(item, place) for place, item in enumerate(_decode(input))]
    if order == "desc":
        items.reverse()
    start = _after(items, wishes["after"]) if "after" in wishes else 0
    shown = items[start : start + _limit(wishes.get("limit"))]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else "",
        "last_id": shown[-1]["id"] if shown else "",
        "has_more": start + len(shown) < len(items),
    }


def _limit(given: str | None) -> int:
    if given is None:
        return _PAGE
    if not given.isdigit() or not 1 <= int(given) <= _PAGE_MAX:
        raise BadRequest(f"limit: must be a number from 1 to {_PAGE_MAX}", data={"param": "limit"})
    return int(given)


def _after(items: list[Json], id: str) -> int:
    found = next((place for place, item in enumerate(items) if item["id"] == id), None)
    if found is None:
        raise BadRequest("after: there is no such item", data={"param": "after"})
    return found + 1


def _whole(item: Json, place: int) -> Json:
    """An item as lists show it: with a type, an id, and its content in parts."""
    kind = item.get("type") or "message"
    found: Json = {"id": f"item_{place:06d}", "type": kind} | item
    if kind == "message":
        found["status"] = "completed"
        if isinstance(item.get("content"), str):
            side = "output_text" if item.get("role") == "assistant" else "input_text"
            found["content"] = [{"type": side, "text": item["content"]}]
    return found
