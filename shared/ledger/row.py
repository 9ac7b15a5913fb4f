"""The row: one closed entry as it is kept for ever: flattened, sealed by its hash, chained to its writer's
row before.

What is sealed is the row's bytes. They travel and are stored as they are and are never encoded again: a row
can be checked with nothing but SHA-256 and a JSON parser, and rows of an older release stay valid.
"""

import hashlib
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from shared.identity.principal import Caller, Principal
from shared.ledger.entry import Entry, Outcome, Usage, new_id

_NOBODY = Caller(principal=Principal(sub="", tenant=""), actors=(), chain="", credential="")


class Row(Struct, frozen=True, omit_defaults=True):
    """`prev` is the hash (hex) of the writer's row `seq - 1`, "" at its first row, which has `seq` 1.

    `checkpoint` is set on rows that the writer itself adds: a JWS over {writer, seq, hash, at} which says
    that every row up to `seq` had been made durable, and what the hash of that one was.
    """

    id: str
    writer: str
    seq: int
    prev: str
    service: str
    started_at: int
    chain: str = ""
    parent: str = ""
    hop: int = 0
    tenant: str = ""
    principal: str = ""
    actors: tuple[str, ...] = ()
    team: str = ""
    project: str = ""
    tier: str = ""
    roles: tuple[str, ...] = ()
    key: str = ""
    credential: str = ""
    resource: str = ""
    action: str = ""
    method: str = ""
    streamed: bool = False
    decision: str = ""
    rule: str = ""
    epoch: int = 0
    outcome: str = Outcome.COMPLETED.value
    reason: str = ""
    detail: str = ""
    status: int = 0
    duration_us: int = 0
    upstream_us: int = 0
    first_byte_us: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    units: int = 0
    cost_micros: int = 0
    saved_micros: int = 0
    saved_us: int = 0
    cache: str = ""
    tags: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    model: str = ""
    provider: str = ""
    server: str = ""
    tool: str = ""
    agent: str = ""
    skill: str = ""
    task: str = ""
    context: str = ""
    request_id: str = ""
    attempts: int = 0
    trace_id: str = ""
    span_id: str = ""
    digest: str = ""
    times: int = 1
    checkpoint: str = ""

    @property
    def actor(self) -> str:
        """Who acted: the last principal of the chain at that moment."""
        return self.actors[-1] if self.actors else self.principal


class SealedRow(Struct, frozen=True):
    """A row as it travels: its bytes and their SHA-256."""

    body: bytes
    hash: bytes


# Where each field comes from, in the order of the fields: reading them all in one go halves what a row costs.
_FIELDS = Row.__struct_fields__
_CALLERS = slice(_FIELDS.index("chain"), _FIELDS.index("resource"))
_ENTRYS = slice(_FIELDS.index("resource"), _FIELDS.index("checkpoint"))
_PRINCIPAL = {"principal": "sub"} | {name: name for name in ("tenant", "team", "project", "tier", "roles")}
_USAGE = frozenset(Usage.__struct_fields__)
_of_caller: Callable[[Caller], tuple[Any, ...]] = attrgetter(
    *(f"principal.{_PRINCIPAL[name]}" if name in _PRINCIPAL else name for name in _FIELDS[_CALLERS])
)
_of_entry: Callable[[Entry], tuple[Any, ...]] = attrgetter(
    *(f"usage.{name}" if name in _USAGE else name for name in _FIELDS[_ENTRYS])
)


def row_of(entry: Entry, *, writer: str, seq: int, prev: str) -> Row:
    place = (entry.id, writer, seq, prev, entry.service, entry.started_at)
    return Row(*place, *_of_caller(entry.caller or _NOBODY), *_of_entry(entry))


def checkpoint_row(token: str, *, writer: str, seq: int, prev: str, service: str, at: int) -> Row:
    return Row(
        id=new_id(),
        writer=writer,
        seq=seq,
        prev=prev,
        service=service,
        started_at=at,
        resource="ledger:checkpoint",
        action="sign",
        checkpoint=token,
    )


def seal(row: Row) -> tuple[bytes, bytes]:
    """The row's bytes and their SHA-256. It never fails on content: what JSON cannot carry is replaced."""
    try:
        body = _encode(row)
    except UnicodeEncodeError:
        body = _encode(_speakable(row))
    return body, hashlib.sha256(body).digest()


def opened(body: bytes) -> Row:
    """The row in `body`. Raises msgspec.MsgspecError (a ValueError) when there is none."""
    return _decode(body)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Row).decode


def _speakable(row: Row) -> Row:
    """The same row with every lone surrogate replaced: half a character may come out of a caller's JSON."""
    changed: dict[str, object] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, str):
            changed[name] = _clean(value)
        elif isinstance(value, tuple):
            changed[name] = tuple(_clean(item) for item in value)
    return msgspec.structs.replace(row, **changed)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
