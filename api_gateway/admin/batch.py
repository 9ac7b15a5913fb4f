"""A batch of changes to declared objects, what each comes to, and how that is told."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from api_gateway.admin import Reason
from api_gateway.admin.conditional import Changed
from api_gateway.declared.kind import Step
from shared.errors import Forbidden, Refusal
from shared.store import Write
from shared.store.objects import mark, unmark

Who = Annotated[str, Meta(max_length=200)]
MOST = 500


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`if_match` is the etag of what the author has seen, "" where there was nothing."""

    kind: str
    name: str
    spec: Raw = msgspec.field(default_factory=Raw)
    if_match: str = ""
    remove: bool = False


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`owner` marks what is made here as its own. `author` is whom the caller names, not who they are."""

    changes: Annotated[tuple[Change, ...], Meta(max_length=MOST)]
    reason: Reason = ""
    author: Who = ""
    owner: Annotated[str, Meta(min_length=1, max_length=63)] = "gatestack"
    dry_run: bool = False

    @property
    def kinds(self) -> list[str]:
        return list(dict.fromkeys(change.kind for change in self.changes))


class Judged(Struct, frozen=True, kw_only=True):
    """A change with what it comes to, or with why it cannot be."""

    change: Change
    step: Step = Step()
    refusal: Refusal | None = None

    @property
    def did(self) -> str:
        """How the ledger tells it."""
        return self.step.did or ("removed" if self.change.remove else "put")

    def writes(self, owner: str) -> list[Write]:
        """A change's writes and its mark: an object is marked by whoever makes it."""
        change = self.change
        if not self.step.writes or (change.if_match and not change.remove):
            return list(self.step.writes)
        marked = () if change.remove else (mark(change.kind, change.name, owner),)
        return [*self.step.writes, unmark(change.kind, change.name), *marked]

    def result(self, state: str) -> dict[str, Any]:
        told: dict[str, Any] = {"kind": self.change.kind, "name": self.change.name}
        if self.refusal is not None:
            conflict = isinstance(self.refusal, Changed)
            return told | {"did": "conflict" if conflict else "refused", "why": self.refusal.detail}
        if state != "done":
            return told | {"did": "nothing", "why": ""}
        did = "removed" if self.change.remove else "changed" if self.change.if_match else "made"
        return told | {"did": did, "why": ""} | ({"secret": self.step.secret} if self.step.secret else {})


def overtaken(judged: list[Judged], number: int, owner: str) -> list[Judged]:
    """The change that write `number` belongs to has found something else."""
    upto, found = 0, []
    for one in judged:
        start, upto = upto, upto + len(one.writes(owner))
        lost = start <= number < upto
        why = "its name is taken" if not one.change.if_match else "it has been changed meanwhile: plan again"
        found.append(Judged(change=one.change, refusal=Changed(why)) if lost else one)
    return found


def status_of(refused: list[Judged]) -> int:
    if any(isinstance(one.refusal, Changed) for one in refused):
        return 409
    return 403 if all(isinstance(one.refusal, Forbidden) for one in refused) else 400


def outcome(judged: list[Judged], state: str, *, published: bool = False) -> dict[str, Any]:
    """What became of the batch: `state` is done, possible or refused."""
    told: dict[str, Any] = {
        "state": state,
        "published": published,
        "results": [one.result(state) for one in judged],
    }
    if state == "refused":
        refused = sum(one.refusal is not None for one in judged)
        told["detail"] = f"nothing of this batch was done: {refused} of {len(judged)} changes cannot be"
    return told
