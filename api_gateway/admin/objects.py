"""Objects in bulk, as files declare them: what there is, and a batch of changes of which either all are made
or none, each only of what its author has seen.

Besides `admin:objects`, policy is asked for the area of each kind, as on that kind's own pages.
"""

from hashlib import sha256
from typing import Any

import msgspec

from api_gateway.admin import LONGEST_REASON, Answer, Ask, Page
from api_gateway.admin.batch import Batch, Change, Judged, outcome, overtaken, status_of
from api_gateway.admin.conditional import Changed
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from api_gateway.declared import SHAPES
from api_gateway.declared.fields import plain
from api_gateway.declared.kind import Bounded, Held, Kind, Step
from shared.approvals import visible
from shared.errors import BadRequest, Forbidden, Refusal, Unavailable
from shared.store import Unmet


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
            return status_of(refused), outcome(judged, "refused")
        await self._check_room(control, judged)
        if batch.dry_run:
            return 200, outcome(judged, "possible")
        try:
            writes = [write for one in judged for write in one.writes(batch.owner)]
            await control.write(writes, self._snapshots(batch))
            _note(ask, batch, judged)
            settled = await _settled(judged)
        except Unmet as error:
            return 409, outcome(overtaken(judged, error.number, batch.owner), "refused")
        except Changed as error:
            # Only what is alone in its batch can be overtaken here.
            return 409, outcome([Judged(change=judged[0].change, refusal=error)], "refused")
        published = await self._published(control, batch)
        return 200, outcome(judged, "done", published=published and settled)

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
        kinds = [kind for kind in map(self._kind, batch.kinds) if not kind.alone]
        names = {name for kind in kinds for name in kind.snapshots}
        # What stops comes first.
        return sorted(names, key=lambda name: (name != "kills", name))

    async def _judge(self, control: Control, ask: Ask, batch: Batch) -> list[Judged]:
        held: dict[str, dict[str, Held]] = {}
        for name in batch.kinds:
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
                judged.append(Judged(change=change, refusal=error))
            else:
                judged.append(Judged(change=change, step=step))
        return judged

    async def _check_room(self, control: Control, judged: list[Judged]) -> None:
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
        """Whether the services have been told. If not, the edge goes on trying."""
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


async def _settled(judged: list[Judged]) -> bool:
    """What follows the writes. Whether it could be done: nothing that was written is undone, and who was made
    a key must learn its secret. Raises Unavailable where nothing was written.
    """
    try:
        for one in judged:
            if one.step.then is not None:
                await one.step.then()
    except Unavailable:
        if not any(one.step.writes for one in judged):
            raise
        return False
    return True


def _note(ask: Ask, batch: Batch, judged: list[Judged]) -> None:
    """What the ledger keeps of a batch, sealed with everything else. A policy says more of its own."""
    ask.entry.findings += tuple(
        f"object:{one.change.kind}/{visible(one.change.name)[:128]} {one.did}" for one in judged
    )
    author = f" (author: {visible(batch.author)})" if batch.author else ""
    ask.entry.detail = f"{visible(batch.reason.strip(), LONGEST_REASON)}{author}"
    ask.entry.digest = sha256(ask.body).hexdigest()
