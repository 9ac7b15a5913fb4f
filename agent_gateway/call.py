"""One A2A operation as asked, in no wire format: what it is called and the ids that decide who may do it."""

from typing import Literal

from msgspec import Raw, Struct

Action = Literal["invoke", "read", "cancel"]


class Method(Struct, frozen=True):
    """An operation that is served. `action` is what policy is asked; `delegates` counts as a call of the
    agent.
    """

    name: str
    action: Action
    delegates: bool = False
    streams: bool = False


class Names(Struct, frozen=True, kw_only=True):
    """The ids in a request that must be the caller's own, and what it says about itself."""

    task: str = ""
    context: str = ""
    references: tuple[str, ...] = ()
    skill: str = ""


class Call(Struct, frozen=True, kw_only=True):
    """`id` and the members of `params` are raw JSON, as the client wrote them."""

    method: Method
    id: Raw
    params: dict[str, Raw]
    names: Names
    extensions: tuple[str, ...] = ()
