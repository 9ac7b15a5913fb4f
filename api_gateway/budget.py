"""The `gatestack-budget` request header: whoever begins a chain may allow all of it less, an agent in it what
follows from its own request; never more.
"""

import re

import msgspec

from shared.asgi import Exchange
from shared.errors import BadRequest
from shared.identity import narrow
from shared.identity.principal import Caller, ChainBudget
from shared.limits.branch import share_of

HEADER = "gatestack-budget"
_WORDS = {name: name for name in ChainBudget.__struct_fields__} | {"usd": "micros"}
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def narrowed(caller: Caller, exchange: Exchange) -> Caller:
    """`caller` with the budget that the header asks for, where that is less. Raises BadRequest when it
    cannot be read, DelegationRefused where a budget has been shared out too often.

    Form: `usd=0.05, tokens=2000, tool_calls=3`; the words are those of the chain budget, and `usd`.
    """
    header = exchange.header(HEADER)
    if header is None:
        return caller
    wanted = ChainBudget(**dict(_part(part) for part in header.split(",") if part.strip()))
    if caller.depth == 0:
        return msgspec.structs.replace(caller, budget=caller.budget.narrowed(wanted))
    if wanted.seconds is not None:
        raise BadRequest(f"{HEADER}: the time of a chain is for whoever began it to say")
    # The chain is not the agent's: with nothing left of it, its callers and all others in it would stop.
    return narrow.narrowed(caller, share=share_of(wanted, 1))


def _part(part: str) -> tuple[str, int]:
    word, _, amount = (piece.strip() for piece in part.partition("="))
    field = _WORDS.get(word)
    if field is None:
        raise BadRequest(f"{HEADER}: {word!r} is none of {', '.join(sorted(_WORDS))}")
    if not _AMOUNT.fullmatch(amount) or (word != "usd" and "." in amount):
        raise BadRequest(f"{HEADER}: {word} needs a number, got {amount!r}")
    return field, round(float(amount) * 1_000_000) if word == "usd" else int(amount)
