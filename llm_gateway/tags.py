"""What a caller writes on its call, for budgets, policy, routing and the ledger: `x-gatestack-tags: beta,
batch`.
"""

import re

from shared.asgi import Exchange
from shared.errors import BadRequest

HEADER = "x-gatestack-tags"
_MOST = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,63}")


def read_tags(exchange: Exchange) -> tuple[str, ...]:
    """Each of them once, in the caller's order. Raises BadRequest where the header is no list of names."""
    text = exchange.header(HEADER)
    if text is None:
        return ()
    tags = tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip(" \t"))))
    if len(tags) > _MOST:
        raise BadRequest(f"{HEADER}: {len(tags)} tags, at most {_MOST} are counted")
    for tag in tags:
        if not _NAME.fullmatch(tag):
            raise BadRequest(
                f"{HEADER}: {tag[:80]!r} is no tag (letters, digits, ._:/@-, at most 64 of them)"
            )
    return tags
