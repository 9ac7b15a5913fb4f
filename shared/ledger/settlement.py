"""A sealed row on its way, and what has to be settled with it: kept together when it has to wait in the
journal."""

import msgspec
from msgspec import Raw, Struct

from shared.ledger.entry import Entry
from shared.ledger.lines import Waiting
from shared.ledger.row import SealedRow
from shared.limits.lease import Lease
from shared.limits.plan import UNITS, Estimate

_NOTHING = Estimate(requests=0)
_COUNTED = {name: UNITS.index(name) for name in ("requests", "tool_calls", "agent_calls", "model_calls")}


class Outgoing(Struct, frozen=True):
    """`seq` is the row's place in our own chain, 0 for a row of somebody else's."""

    seq: int
    tenant: str
    sealed: SealedRow
    lease: Lease | None = None
    used: Estimate = _NOTHING

    def waiting(self) -> Waiting:
        told = None if self.lease is None else _Settlement(self.lease, self.used)
        digest, row = self.sealed.hash.hex(), Raw(self.sealed.body)
        return Waiting(self.tenant, digest, row, Raw(msgspec.json.encode(told)))


class _Settlement(Struct, frozen=True):
    lease: Lease
    used: Estimate


_decode = msgspec.json.Decoder(_Settlement | None).decode


def resumed(waiting: Waiting) -> Outgoing:
    """What a line of a journal still has to bring on its way."""
    try:
        settlement = _decode(waiting.settlement)
    except msgspec.MsgspecError:
        # Another release wrote it: the row is worth more than what it would have settled.
        settlement = None
    if settlement is None:
        return Outgoing(0, waiting.tenant, waiting.sealed)
    return Outgoing(0, waiting.tenant, waiting.sealed, settlement.lease, settlement.used)


def used(entry: Entry, lease: Lease | None) -> Estimate:
    """What the call used in truth: tokens and money as they were counted, calls as they were reserved."""
    if lease is None:
        return _NOTHING
    usage, reserved = entry.usage, lease.plan.amounts
    return Estimate(
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        micros=entry.cost_micros,
        **{name: reserved[place] for name, place in _COUNTED.items()},
    )
