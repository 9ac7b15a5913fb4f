"""One kind of declared object, as the control plane holds and writes it. An implementation a file."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from api_gateway.admin import Ask
from api_gateway.admin.conditional import digest
from api_gateway.control import Control
from shared.errors import Forbidden
from shared.store import Write

# What keys, kills and accounts may be called.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Held(Struct, frozen=True, kw_only=True):
    """An object as it is now. `etag` is what a change of it has to send back; `content` is what is kept."""

    name: str
    spec: Struct
    etag: str
    content: bytes = b""


def holding(name: str, spec: Struct, content: bytes) -> Held:
    return Held(name=name, spec=spec, etag=digest(content), content=content)


class Step(Struct, frozen=True, kw_only=True):
    """What one change comes to: writes that go into one transaction with others', and what follows them.
    `secret` is a new key's. `did` is how the ledger tells it, where `put` does not say enough.
    """

    writes: tuple[Write, ...] = ()
    then: Callable[[], Awaitable[object]] | None = None
    secret: str = ""
    did: str = ""


class Kind(Protocol):
    """`area` is what policy is asked for (`admin:<area>`), `snapshots` how the services learn of a change.
    What is `alone` goes into no transaction with others.
    """

    @property
    def name(self) -> str: ...

    @property
    def area(self) -> str: ...

    @property
    def snapshots(self) -> tuple[str, ...]: ...

    @property
    def alone(self) -> bool: ...

    async def held(self, control: Control, ask: Ask) -> list[Held]:
        """All of this kind that the caller may administer."""
        ...

    async def put(
        self, control: Control, ask: Ask, name: str, spec: Struct, held: Held | None, reason: str
    ) -> Step:
        """Raises a Refusal where it cannot be."""
        ...

    async def remove(self, control: Control, ask: Ask, held: Held) -> Step: ...


@runtime_checkable
class Bounded(Protocol):
    """A kind of which there may not be any number."""

    async def check(self, control: Control, writes: Sequence[Write]) -> None:
        """Raises a Refusal where all of these would be too much."""
        ...


def confine(ask: Ask, tenant: str) -> None:
    """Raises Forbidden for what is another tenant's, or everybody's."""
    if not ask.all_tenants and ask.tenant() != tenant:
        raise Forbidden(f"tenant: this credential administers the tenant {ask.tenant()} only")
