"""The wire formats of A2A, between clients and us and between us and agents. What may be done is not
asked here.

In between everything has the form of A2A 1.0: the members of a request's parameters, an answer's result.
"""

from typing import Protocol

from msgspec import Raw, Struct

from agent_gateway.call import Call, Wire

Params = dict[str, Raw]


class Failure(Struct, frozen=True, kw_only=True):
    """An agent's own error: A2A's number for it, and `data`, raw JSON, where there is any."""

    code: int
    message: str
    data: Raw = Raw()


class Answer(Struct, frozen=True, kw_only=True):
    """An agent's answer, or one event of its stream: a result, or else a failure.

    `body` is how the agent wrote it, in `wire`; it is empty where it no longer says the same.
    """

    result: Raw = Raw()
    failure: Failure | None = None
    body: bytes = b""
    wire: Wire = "JSONRPC/1.0"


class Request(Struct, frozen=True, kw_only=True):
    """What is sent to an agent."""

    method: str
    url: str
    body: bytes
    kind: str = "application/json"


class Written(Struct, frozen=True, kw_only=True):
    """A whole answer as a client gets it."""

    status: int
    kind: str
    body: bytes


class Binding(Protocol):
    """One wire. Clients' requests are read elsewhere: they decide which wire it is."""

    def request(self, call: Call, params: Params, url: str) -> Request:
        """The request to an agent at `url`."""
        ...

    def answer(self, call: Call, body: bytes, status: int = 200) -> Answer:
        """An agent's whole answer, or one event of its stream. Raises UpstreamBroken when it is none to
        this call.
        """
        ...

    def whole(self, call: Call, answer: Answer) -> Written:
        """What the client gets as the answer to its call."""
        ...

    def event(self, call: Call, answer: Answer) -> bytes:
        """One event of a stream for the client."""
        ...
