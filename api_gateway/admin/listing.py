"""Lists in pages: filtered, in an order that stays while the list changes, and continued where the last page
ended. Whoever asks for no page gets everything, in the list's own order.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from shared.errors import BadRequest
from shared.policy.glob import covers

MOST = 1000
CURSOR = "cursor: send the `next` of the page before"


class Listed(Struct, frozen=True, kw_only=True):
    """`member` of the answer is a list, whose items are told apart by `key` together. `filters` are members
    that may be asked for, with `*` for any text; of one with several values any may fit. `item` is what the
    list is of, where a type says so.
    """

    member: str
    key: tuple[str, ...]
    filters: tuple[str, ...] = ()
    item: Any = None


def paged(answer: dict[str, Any], listed: Listed, query: Mapping[str, str]) -> dict[str, Any]:
    """`answer` with what was asked for of its list. A page comes with `next`, the `cursor` of the following
    one, "" at the end. Raises BadRequest.
    """
    items: list[dict[str, Any]] = answer[listed.member]
    wanted = {name: query[name] for name in listed.filters if query.get(name)}
    if wanted:
        items = [item for item in items if all(_fits(item.get(name), text) for name, text in wanted.items())]
    if "limit" not in query and "cursor" not in query:
        return {**answer, listed.member: items}
    limit, after = limit_of(query, 100), _cursor(query.get("cursor", ""), listed)
    ordered = sorted(items, key=lambda item: _key(item, listed))
    left = [item for item in ordered if _key(item, listed) > after]
    page = left[:limit]
    following = _written(_key(page[-1], listed)) if len(left) > limit else ""
    return {**answer, listed.member: page, "next": following}


def limit_of(query: Mapping[str, str], usual: int, most: int = MOST) -> int:
    """How many are asked for. Raises BadRequest."""
    text = query.get("limit", str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most):
        raise BadRequest(f"limit: a number from 1 to {most}")
    return int(text)


def _fits(value: object, pattern: str) -> bool:
    if isinstance(value, list | tuple):
        return any(_fits(one, pattern) for one in value)
    return covers(pattern, str(value))


def _key(item: dict[str, Any], listed: Listed) -> tuple[str, ...]:
    return tuple(str(item[name]) for name in listed.key)


def _written(key: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _cursor(text: str, listed: Listed) -> tuple[str, ...]:
    """The key of the last item of the page before; () sorts before all."""
    if not text:
        return ()
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        key = msgspec.json.decode(raw, type=tuple[str, ...])
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadRequest(CURSOR, cause=error) from error
    if len(key) != len(listed.key):
        raise BadRequest(CURSOR)
    return key
