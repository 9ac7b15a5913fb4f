"""One A2A operation as asked, in no wire format: what it is called and the ids that decide who may do it."""

from typing import Literal

from msgspec import Raw, Struct

Action = Literal["invoke", "read", "cancel", "push"]
# What an operation is answered with: one of the forms of SendMessageResponse, a Task, a list of them, …
Yields = Literal["event", "task", "tasks", "config", "configs", "card", "nothing"]
# Binding and version. An agent and its client need not speak the same one.
Wire = Literal["JSONRPC/1.0", "HTTP+JSON/1.0", "JSONRPC/0.3", "HTTP+JSON/0.3"]


class Method(Struct, frozen=True):
    """An operation that is served. `action` is what policy is asked; `delegates` counts as a call of the
    agent.
    """

    name: str
    action: Action
    delegates: bool = False
    streams: bool = False
    yields: Yields = "event"


class Names(Struct, frozen=True, kw_only=True):
    """The ids in a request that must be the caller's own, and what it says about itself."""

    task: str = ""
    context: str = ""
    references: tuple[str, ...] = ()
    skill: str = ""


class Call(Struct, frozen=True, kw_only=True):
    """`params` are those of A2A 1.0, their members raw JSON; `id` is as the client wrote it and `wire` how it
    speaks. `webhook` names the push notification config that this call brings along.
    """

    method: Method
    id: Raw
    params: dict[str, Raw]
    names: Names
    wire: Wire = "JSONRPC/1.0"
    extensions: tuple[str, ...] = ()
    webhook: str = ""
