"""One approval: a call that waits for a person's word, what that word is bound to, and how it stands."""

from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from shared.approvals.preview import visible
from shared.errors import BadRequest
from shared.identity.principal import Caller
from shared.jsonrpc import refuse_duplicates
from shared.policy import Grant
from shared.policy.decision import Approver

# `void`: policy is no longer the one that asked. `expired`: nobody decided, or nobody used it, in time.
State = Literal["pending", "approved", "denied", "used", "withdrawn", "void", "expired"]


class Approval(Struct, frozen=True, kw_only=True):
    """What a person is asked to consent to. `digest` is of the exact arguments, `preview` what may be shown
    of them; names are written so that they can be shown too. Times are microseconds since 1970; `entry` is
    the ledger's entry of the call that asked first.
    """

    id: str
    tenant: str
    service: str
    chain: str
    principal: str
    actors: tuple[str, ...]
    resource: str
    action: str
    digest: str
    preview: str
    rule: str
    approver: Approver
    epoch: int
    entry: str
    created: int
    expires: int


class Word(Struct, frozen=True, kw_only=True):
    """How an approval stands, who said so, when and why."""

    state: State
    by: str = ""
    at: int = 0
    why: str = ""


class Filed(Struct, frozen=True):
    """An approval as it is kept."""

    approval: Approval
    word: Word


def _as_written(number: str) -> Raw:
    return Raw(number.encode())


# Numbers stay as they are written: 1.10 and 1.1 may be two things to whoever gets them.
_EXACT = msgspec.json.Decoder(float_hook=_as_written)


def digest(arguments: bytes) -> str:
    """SHA-256 of JSON, whatever the order of its members; of the bytes themselves where it is none, and where
    a member stands twice: which of the two counts is for whoever reads it.
    """
    try:
        refuse_duplicates(arguments)
        exact = msgspec.json.encode(_EXACT.decode(arguments), order="sorted")
    except (BadRequest, ValueError, RecursionError):
        exact = arguments
    return sha256(exact).hexdigest()


def binding(grant: Grant, digest: str) -> str:
    """What a decision holds for: this caller, target, arguments and policy, and nothing else.

    Of a chain that has been delegated it holds for that chain only. Who calls directly begins a chain with
    every call, and repeats a call with the same key.
    """
    caller, chain = grant.caller, grant.caller.chain if grant.caller.depth else ""
    parts = (
        *(caller.principal.tenant, caller.actors, caller.key, chain),
        *(grant.resource, grant.action, digest, grant.decision.epoch),
    )
    return sha256(msgspec.json.encode(parts)).hexdigest()


def may_decide(caller: Caller, approval: Approval) -> str:
    """Why `caller` may not decide on it, whatever policy says; "" where nothing is in the way.

    Only a person, or a service that passes on a person's word, decides, with a credential of its own: an
    agent never does, nor anybody through one. And nobody decides on a call of a chain that they are part of.
    """
    if caller.depth or caller.actor.startswith("agent:"):
        return "only a person decides, with a key of their own: not an agent, and nobody through one"
    if visible(caller.actor) in approval.actors:
        return f"{caller.actor} is part of the chain that asks: somebody else has to decide"
    return ""
