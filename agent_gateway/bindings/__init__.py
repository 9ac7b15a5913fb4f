"""The wire formats of A2A, between clients and us and between us and agents. What may be done is not
asked here.
"""

from typing import Protocol

from msgspec import Raw, Struct

from agent_gateway.call import Call
from shared.asgi import Exchange


class Answer(Struct, frozen=True, kw_only=True):
    """An agent's answer. `body` is what the client gets; `result` is empty where it is an error with this
    `code`.
    """

    body: bytes
    result: Raw = Raw()
    code: int = 0


class Binding(Protocol):
    def read(self, exchange: Exchange, body: bytes) -> Call:
        """What a client asks for. Raises BadRequest with the code that fits."""
        ...

    def write(self, call: Call, params: bytes) -> bytes:
        """The request to an agent, with `params` as its raw parameters."""
        ...

    def answer(self, call: Call, body: bytes) -> Answer:
        """An agent's whole answer, or one event of its stream. Raises UpstreamBroken when it is none to
        this call.
        """
        ...
