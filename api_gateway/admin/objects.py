"""Objects in bulk, as files declare them: what there is, and a batch of changes of which either all are made
or none, each only of what its author has seen.

Besides `admin:objects`, policy is asked for the area of each kind, as on that kind's own pages.
"""

from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.admin.conditional import Changed
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from api_gateway.declared import SHAPES
from api_gateway.declared.fields import plain
from api_gateway.declared.kind import Bounded, Held, Kind, Step
from shared.approvals import visible
from shared.errors import BadRequest, Forbidden, Refusal, Unavailable
from shared.store import Unmet, Write
from shared.store.objects import mark, unmark

Reason = Annotated[str, Meta(max_length=500)]
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


class _Judged(Struct, frozen=True, kw_only=True):
    """A change with what it comes to, or with why it cannot be."""

    change: Change
    step: Step = Step()
    refusal: Refusal | None = None


class Objects:
    """The calls of the pages below."""

    def __init__(self, kinds: tuple[Kind, ...], *, consented: bool = False) -> None:
        """`consented`: who calls was already asked for whatever a person has to consent to."""
        self._kinds = {kind.name: kind for kind in kinds}
        self._consented = consented

    async def listing(self, control: Control, ask: Ask) -> Answer:
        """All objects that the caller may read, as files declare them."""
        wanted = ask.query.get("kind", "")
        chosen = [self._kind(wanted)] if wanted and "*" not in wanted else list(self._kinds.values())
        marks, found = await control.store.marks(), []
        for kind in chosen:
            if self._may(control, ask, kind, "read"):
                for held in await kind.held(control, ask):
                    found.append(shown(kind.name, held, marks.get((kind.name, held.name), "")))
        return 200, {"objects": found}

    async def put(self, control: Control, ask: Ask) -> Answer:
        """Makes, changes and removes objects: all of the batch or nothing of it."""
        return await self.apply(control, ask, ask.read(Batch))

    async def apply(self, control: Control, ask: Ask, batch: Batch) -> Answer:
        """Raises BadRequest for what is wrong with the batch as a whole."""
        if not batch.reason.strip() and not batch.dry_run:
            raise BadRequest("reason: say why; it is kept for good")
        self._check(batch)
        judged = await self._judge(control, ask, batch)
        if refused := [one for one in judged if one.refusal is not None]:
            return _status(refused), _told(judged, "refused", False)
        await self._check_room(control, judged)
        if batch.dry_run:
            return 200, _told(judged, "possible", False)
        try:
            await control.write(
                [write for one in judged for write in _writes(one, batch.owner)], self._snapshots(batch)
            )
            _note(ask, batch)
            for one in judged:
                if one.step.then is not None:
                    await one.step.then()
        except Unmet as error:
            judged = _overtaken(judged, error.number, batch.owner)
            return 409, _told(judged, "refused", False)
        except Changed as error:
            # Only what is alone in its batch can be overtaken here.
            return 409, _told([_refused(judged[0].change, error)], "refused", False)
        return 200, _told(judged, "done", await self._published(control, batch))

    def _check(self, batch: Batch) -> None:
        seen: set[tuple[str, str]] = set()
        for change in batch.changes:
            if (change.kind, change.name) in seen:
                raise BadRequest(f"{change.kind} {change.name[:80]!r} stands twice in the batch")
            seen.add((change.kind, change.name))
            if self._kind(change.kind).alone and len(batch.changes) > 1:
                raise BadRequest(f"a {change.kind} goes into a batch of its own")

    def _kind(self, name: str) -> Kind:
        kind = self._kinds.get(name)
        if kind is None:
            raise BadRequest(f"kind: {name[:40]!r} is none of {', '.join(self._kinds)}")
        return kind

    def _snapshots(self, batch: Batch) -> list[str]:
        return sorted({kind.snapshot for kind in map(self._kind, _kinds(batch)) if not kind.alone})

    async def _judge(self, control: Control, ask: Ask, batch: Batch) -> list[_Judged]:
        held: dict[str, dict[str, Held]] = {}
        for name in _kinds(batch):
            kind = self._kind(name)
            # Who may not manage a kind does not learn what there is of it either.
            if self._may(control, ask, kind, "manage"):
                held[name] = {one.name: one for one in await kind.held(control, ask)}
        judged = []
        for change in batch.changes:
            try:
                if change.kind not in held:
                    raise Forbidden(f"nothing allows you to manage admin:{self._kind(change.kind).area}")
                step = await self._step(control, ask, change, held[change.kind].get(change.name), batch)
            except Refusal as error:
                judged.append(_refused(change, error))
            else:
                judged.append(_Judged(change=change, step=step))
        return judged

    async def _check_room(self, control: Control, judged: list[_Judged]) -> None:
        for name, kind in self._kinds.items():
            steps = [one.step for one in judged if one.change.kind == name]
            if steps and isinstance(kind, Bounded):
                await kind.check(control, [write for step in steps for write in step.writes])

    async def _step(
        self, control: Control, ask: Ask, change: Change, held: Held | None, batch: Batch
    ) -> Step:
        """Raises a Refusal."""
        kind = self._kind(change.kind)
        if (held.etag if held is not None else "") != change.if_match:
            raise Changed("it is not what you have seen any more: plan again")
        if change.remove:
            if held is None:
                raise BadRequest("there is none")
            return await kind.remove(control, ask, held)
        try:
            spec = msgspec.json.decode(change.spec, type=SHAPES[change.kind].spec)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"spec: {error}", cause=error) from error
        return await kind.put(control, ask, change.name, spec, held, batch.reason)

    def _may(self, control: Control, ask: Ask, kind: Kind, action: str) -> bool:
        """What a person has to consent to each time is not done in bulk."""
        decision = control.policy.current.decide_chain(ask.caller, f"admin:{kind.area}", action)
        return decision.allowed and (self._consented or not decision.approval)

    async def _published(self, control: Control, batch: Batch) -> bool:
        """Whether the services have been told. If not, the edge goes on trying: nothing is undone, and who
        was made a key must learn its secret.
        """
        try:
            await control.publish(self._snapshots(batch))
        except Unavailable:
            return False
        return True


def pages(kinds: tuple[Kind, ...]) -> tuple[Page, ...]:
    objects = Objects(kinds)
    return (
        Page(
            method="GET",
            path="/objects",
            area="objects",
            action="read",
            call=objects.listing,
            lists=Listed(member="objects", key=("kind", "name"), filters=("kind", "name", "owner")),
        ),
        Page(method="PUT", path="/objects", area="objects", action="manage", call=objects.put, body=Batch),
    )


def shown(kind: str, held: Held, owner: str) -> dict[str, Any]:
    """An object as callers see it, and as files say it."""
    return {"kind": kind, "name": held.name, "spec": plain(held.spec), "etag": held.etag, "owner": owner}


def _kinds(batch: Batch) -> list[str]:
    return list(dict.fromkeys(change.kind for change in batch.changes))


def _refused(change: Change, refusal: Refusal) -> _Judged:
    return _Judged(change=change, refusal=refusal)


def _writes(one: _Judged, owner: str) -> list[Write]:
    """A change's writes and its mark: an object is marked by whoever makes it."""
    change = one.change
    if not one.step.writes or (change.if_match and not change.remove):
        return list(one.step.writes)
    marked = () if change.remove else (mark(change.kind, change.name, owner),)
    return [*one.step.writes, unmark(change.kind, change.name), *marked]


def _overtaken(judged: list[_Judged], number: int, owner: str) -> list[_Judged]:
    """The change that write `number` belongs to has found something else."""
    upto, found = 0, []
    for one in judged:
        start, upto = upto, upto + len(_writes(one, owner))
        lost = start <= number < upto
        why = "its name is taken" if not one.change.if_match else "it has been changed meanwhile: plan again"
        found.append(_refused(one.change, Changed(why)) if lost else one)
    return found


def _status(refused: list[_Judged]) -> int:
    if any(isinstance(one.refusal, Changed) for one in refused):
        return 409
    return 403 if all(isinstance(one.refusal, Forbidden) for one in refused) else 400


def _told(judged: list[_Judged], state: str, published: bool) -> dict[str, Any]:
    refused = sum(one.refusal is not None for one in judged)
    told: dict[str, Any] = {
        "state": state,
        "published": published,
        "results": [_result(one, state) for one in judged],
    }
    if state == "refused":
        told["detail"] = f"nothing of this batch was done: {refused} of {len(judged)} changes cannot be"
    return told


def _result(one: _Judged, state: str) -> dict[str, Any]:
    result: dict[str, Any] = {"kind": one.change.kind, "name": one.change.name}
    if one.refusal is not None:
        conflict = isinstance(one.refusal, Changed)
        return result | {"did": "conflict" if conflict else "refused", "why": one.refusal.detail}
    if state != "done":
        return result | {"did": "nothing", "why": ""}
    did = "removed" if one.change.remove else "changed" if one.change.if_match else "made"
    return result | {"did": did, "why": ""} | ({"secret": one.step.secret} if one.step.secret else {})


def _note(ask: Ask, batch: Batch) -> None:
    """What the ledger keeps of a batch, sealed with everything else. A policy says more of its own."""
    did = ("removed" if change.remove else "put" for change in batch.changes)
    ask.entry.findings += tuple(
        f"object:{change.kind}/{visible(change.name)[:128]} {how}"
        for change, how in zip(batch.changes, did, strict=True)
    )
    author = f" (author: {visible(batch.author)})" if batch.author else ""
    ask.entry.detail = f"{visible(batch.reason.strip(), 500)}{author}"
    ask.entry.digest = sha256(ask.body).hexdigest()
