"""Parks a call that needs a person's consent until somebody has decided, for a bounded time.

Deny by default: without a word in time the call is refused. What was asked stays open for longer, so that the
same call, sent again to any replica, goes through once it has been approved.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

from shared.account import Flight
from shared.approvals.approval import Approval, State, Word, binding, digest
from shared.approvals.bell import Bell
from shared.approvals.book import Book
from shared.approvals.preview import preview, visible
from shared.clock import Clock
from shared.config import ApprovalsSection
from shared.errors import Unapproved, Unavailable
from shared.identity.keys import Keyring
from shared.ledger.entry import new_id
from shared.policy import Grant, PolicyBox

# Word that was missed is found at the next look.
_LOOK_SECONDS = 1.0
Tell = Callable[[str], Awaitable[None]]


async def _nobody(approval: str) -> None:
    pass


def refuse_asking(grant: Grant) -> None:
    """For calls that cannot wait. Raises Unapproved where policy wants a person's consent."""
    if grant.decision.approval:
        raise Unapproved(
            "this needs a person's approval, which cannot be asked for here", data={"state": "void"}
        )


class Park:
    """`announce` is told of every approval that is new."""

    def __init__(
        self,
        book: Book,
        bell: Bell,
        policy: PolicyBox,
        keyring: Keyring,
        section: ApprovalsSection,
        clock: Clock,
        announce: Callable[[Approval], Awaitable[None]],
    ) -> None:
        self._book = book
        self._bell = bell
        self._policy = policy
        self._keyring = keyring
        self._section = section
        self._clock = clock
        self._announce = announce

    async def __call__(
        self, flight: Flight, grant: Grant, arguments: bytes, *, rule: str = "", tell: Tell = _nobody
    ) -> None:
        """Returns once there is consent to `grant` with exactly these `arguments`; a flight that ends unsent
        gives it back. `rule` asks for it where policy does not; `tell` hears the id when the call begins to
        wait. Raises Unapproved, Unavailable, and Unauthenticated where the caller's key has been revoked
        meanwhile.
        """
        approval = self._approval(flight, grant, arguments, grant.decision.asks or rule)
        bound = binding(grant, approval.digest)
        asked = await self._asked(flight, approval, bound)
        if asked is None:
            raise Unapproved(
                f"{self._section.most_pending} calls of {approval.principal} wait for approval already",
                data={"state": "full"},
            )
        id, word = asked
        # From the first look on, of which a cut may keep the answer from us.
        flight.unsent = partial(self._book.give_back, id, flight.entry.id)
        if word.state == "pending":
            # A call that is stopped with its process is sent again by its client: that takes nothing back.
            withdraw = partial(self._book.leave, id, withdraw=True)
            flight.on_cut.append(withdraw)
            if id == approval.id:
                # Whoever looks finds it without having been told.
                with contextlib.suppress(Unavailable):
                    await self._announce(approval)
            word = await self._waited(flight, grant, id, tell)
            flight.on_cut.remove(withdraw)
            if word.state in ("pending", "void"):
                with contextlib.suppress(Unavailable):
                    await self._book.leave(id, withdraw=word.state == "void")
        if word.state == "approved" and self._changed(grant):
            word = Word(state="void")
        flight.entry.findings += (_finding(id, word),)
        if word.state != "approved":
            raise _refusal(id, word)
        if grant.caller.key:
            # It was good when the call came in, and that may be long ago.
            self._keyring.check(grant.caller.key)

    def taken(self, flight: Flight, grant: Grant, word: bool) -> None:
        """The word of the caller themselves, where policy leaves it to them. Raises Unapproved."""
        by = grant.caller.actor
        stands: State = "approved" if word else "denied"
        state: State = "void" if self._changed(grant) else stands
        flight.entry.findings += (_finding("caller", Word(state=state, by=by)),)
        if state != "approved":
            raise _refusal("caller", Word(state=state))

    async def _asked(self, flight: Flight, approval: Approval, bound: str) -> tuple[str, Word] | None:
        asking = asyncio.create_task(self._book.ask(approval, bound, self._section.most_pending))
        flight.unsent = partial(self._unheard, asking, flight.entry.id)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            # Whoever is cut here does not know yet what has been asked for it.
            flight.on_cut.append(partial(self._take_back, asking))
            raise

    async def _take_back(self, asking: asyncio.Task[tuple[str, Word] | None]) -> None:
        asked = await asyncio.shield(asking)
        if asked is not None and asked[1].state == "pending":
            await self._book.leave(asked[0], withdraw=True)

    async def _unheard(self, asking: asyncio.Task[tuple[str, Word] | None], entry: str) -> None:
        # Another may have to wait for it as well.
        asked = await asyncio.shield(asking)
        if asked is not None and asked[1].state == "approved":
            await self._book.give_back(asked[0], entry)

    def _approval(self, flight: Flight, grant: Grant, arguments: bytes, rule: str) -> Approval:
        caller, decision, now = grant.caller, grant.decision, self._clock.now_us()
        return Approval(
            id=new_id(),
            tenant=caller.principal.tenant,
            service=flight.entry.service,
            chain=caller.chain,
            principal=visible(caller.principal.sub),
            actors=tuple(map(visible, caller.actors)),
            resource=visible(grant.resource),
            action=visible(grant.action),
            digest=digest(arguments),
            preview=preview(arguments),
            rule=rule,
            approver=decision.approver,
            epoch=decision.epoch,
            entry=flight.entry.id,
            created=now,
            expires=now + int(self._section.open_seconds * 1_000_000),
        )

    async def _waited(self, flight: Flight, grant: Grant, id: str, tell: Tell) -> Word:
        await tell(id)
        with self._bell.hearing(id) as rung:
            return await self._decided(flight.entry.id, grant, id, rung)

    async def _decided(self, entry: str, grant: Grant, id: str, rung: asyncio.Event) -> Word:
        """How it stands once it is decided, the time is over, or policy has changed."""
        deadline = self._clock.monotonic() + self._section.wait_seconds
        while True:
            rung.clear()
            if self._changed(grant):
                return Word(state="void")
            with contextlib.suppress(Unavailable):
                word = await self._book.look(id, entry)
                if word.state != "pending":
                    return word
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return Word(state="pending")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                    await rung.wait()

    def _changed(self, grant: Grant) -> bool:
        return self._policy.current.epoch != grant.decision.epoch


def _finding(id: str, word: Word) -> str:
    return f"approval:{id} {word.state}" + (f" by {word.by}" if word.by else "")


def _refusal(id: str, word: Word) -> Unapproved:
    said = {
        "pending": "this call needs a person's approval, and nobody has decided yet: approve with "
        f"`gatestack approvals approve {id}`, then send the same call again",
        "denied": "a person has refused this call" + (f": {word.why}" if word.why else ""),
        "void": "policy has changed while this call waited for approval: send it again",
        "used": "another call like this one has used the approval: send it again, which asks anew",
    }
    detail = said.get(
        word.state, f"the approval of this call is {word.state}: send it again, which asks anew"
    )
    return Unapproved(detail, data={"approval": id, "state": word.state})
