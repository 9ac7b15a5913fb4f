"""Items that a caller names instead of sending them. What this gateway has written says by its name to which
response it belongs; whose a provider's own items are is known to `llm_gateway/items_owned.py`.
"""

import msgspec
from msgspec import Struct

from llm_gateway.fields import wrong

# How the names begin that this gateway gives; what is behind one stands in the request by now.
OURS = "resp_gs"
REFERENCE = "item_reference"
_RESPONSE = "resp_"
_PLACE = 3


class _Item(Struct, frozen=True):
    type: str | None = None
    role: str | None = None
    id: object = None
    content: object = None
    encrypted_content: object = None
    result: object = None


_items = msgspec.json.Decoder(list[_Item]).decode


def item_id(response_id: str, kind: str, place: int) -> str:
    """The same each time that the same answer is written."""
    return f"{kind}_{response_id.removeprefix(_RESPONSE)}{place:0{_PLACE}x}"


def response_of(item_id: str) -> str:
    """The response of ours that an item belongs to; empty where it belongs to none."""
    found = _RESPONSE + item_id.partition("_")[2][:-_PLACE]
    return found if found.startswith(OURS) else ""


def references(given: bytes) -> list[tuple[int, str]]:
    """Where a list of items only names one, and which. Raises BadRequest where it is no such list.

    Thoughts, sums of what was said, and images are names, too, where they hold nothing of that: a provider
    looks for the rest in what it keeps. Not those of ours: nobody else keeps them.
    """
    try:
        items = _items(given)
    except (ValueError, RecursionError) as error:
        raise wrong("input", error) from error
    return [
        (place, item.id if isinstance(item.id, str) else "")
        for place, item in enumerate(items)
        if item.type == REFERENCE or not (item.type or item.role) or _hollow(item)
    ]


def _hollow(item: _Item) -> bool:
    if item.type in ("reasoning", "compaction"):
        empty = not (item.encrypted_content or item.content)
    else:
        empty = item.type == "image_generation_call" and not item.result
    return empty and isinstance(item.id, str) and not response_of(item.id)
