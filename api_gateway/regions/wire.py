"""What a region and the control plane say to each other: one question that may wait for its answer."""

from hashlib import sha256
from typing import Annotated

from msgspec import Meta, Raw, Struct

PATH = "/regions/pull"
LONGEST_WAIT = 10.0
_MOST = 32

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z_]{0,31}$")]
Mark = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
Problem = Annotated[str, Meta(max_length=500)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class Runs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one snapshot stands in a region: the lowest `epoch` that any live process runs, how many
    `processes` obey it, and how many milliseconds ago the last of them that was there took the newest over
    (null: not yet, or nobody was there).
    """

    epoch: Annotated[int, Meta(ge=0, le=10**18)]
    processes: Count
    ago_ms: Annotated[float, Meta(ge=0, le=1e15)] | None = None


class Pull(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`holds` has the mark of each snapshot that the region holds; what has another mark is the answer. Where
    there is nothing, the answer waits `wait_seconds` for something.
    """

    holds: Annotated[dict[Name, Mark], Meta(max_length=_MOST)] = {}
    wait_seconds: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] = 0.0
    runs: Annotated[dict[Name, Runs], Meta(max_length=_MOST)] = {}
    problems: Annotated[list[Problem], Meta(max_length=_MOST)] = []


class Signed(Struct, frozen=True):
    """A snapshot as the control plane has signed it. The payload's bytes are what was signed."""

    signature: str
    payload: Raw

    @property
    def value(self) -> bytes:
        """As it lies in Redis."""
        return self.signature.encode() + b"\n" + bytes(self.payload)


class Pulled(Struct, frozen=True):
    """What the region does not hold yet, by name."""

    changed: dict[str, Signed]


def mark(signature: bytes) -> str:
    """Tells one copy from another, the same content signed anew included."""
    return sha256(signature).hexdigest()[:32]
