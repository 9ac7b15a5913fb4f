"""What is no agent and is called like one: chat endpoints and MCP servers. A bridge takes the place of an
agent's address; who may call it, whose tasks are whose, and what the ledger says of it is as for any agent.
"""

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from msgspec import Struct

from agent_gateway.bridges.asked import Asked
from agent_gateway.route import Target
from shared.account import Flight

Part = dict[str, Any]


class Said(Struct, frozen=True, kw_only=True):
    """A piece of an answer. `text` goes to the end of the one text, `parts` stand for themselves. With
    `wants` more is needed, and `text` says what.
    """

    text: str = ""
    parts: tuple[Part, ...] = ()
    wants: bool = False
    failed: bool = False


class Work(Struct, frozen=True, kw_only=True):
    """One message on its way to what answers it. `target` has the agent and its credential."""

    target: Target
    flight: Flight
    asked: Asked
    context: str


class Bridging(Protocol):
    """One kind of what is bridged."""

    def answer(self, work: Work) -> AsyncGenerator[Said, None]:
        """The answer as it comes, after a first piece that says nothing: until then nobody has begun to work.
        Raises UpstreamFault, BadRequest. To close it early is to cancel.
        """
        ...
