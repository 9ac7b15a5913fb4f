"""What an endpoint is: how its requests are read and rewritten for a provider, and how its answers are
counted.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from msgspec import Struct

from llm_gateway.ask import Ask
from llm_gateway.catalog import Target
from llm_gateway.formats import StreamReader
from llm_gateway.multipart import Form
from llm_gateway.providers import Provider
from shared.asgi import Headers
from shared.dialects import Dialect
from shared.dialects.openai import OpenAI, rate_headers
from shared.errors import UpstreamBroken
from shared.ledger.entry import Usage
from shared.limits.limiter import Lease

JSON = b"application/json"
Params = Mapping[str, str]
EVENT_STREAM = "text/event-stream"


class Shape(Enum):
    """How an answer goes out: read to its end first, event by event, or as bytes while they come."""

    WHOLE = "whole"
    EVENTS = "events"
    BYTES = "bytes"


class Inquiry(Ask, frozen=True, kw_only=True):
    """An Ask of another kind than chat. `form` is its body where that is multipart.

    `known` is what the call uses, where the request alone tells that.
    `texts` is what a guard may want to look at. `talks` is False where the answer has no tokens of its own.
    `lasting` is, as a JSON object, all that the answer depends on, where that is the same each time. `names`:
    it may name what lies in a provider's account instead of sending it.
    """

    known: Usage | None = None
    texts: tuple[str, ...] = ()
    form: Form | None = None
    talks: bool = False
    lasting: bytes = b""
    names: bool = False


class Outbound(Struct, frozen=True, kw_only=True):
    """A request as the provider gets it: `path` follows its base address, unless the whole `address` is said;
    `body` goes out piece by piece. `foreign`: the provider speaks another form than the caller.
    """

    path: str = ""
    address: str = ""
    foreign: bool = False
    body: tuple[bytes, ...]
    content_type: bytes = JSON


class Whole(Struct, frozen=True):
    """An answer in one piece; `usage` is None where the provider did not count."""

    body: bytes
    usage: Usage | None


class Endpoint(Protocol):
    """`paths` are route patterns; what they capture is handed to `read`. `form`: its requests are multipart
    instead of JSON.
    """

    name: str
    paths: tuple[str, ...]
    form: bool
    dialect: Dialect

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        """The caller's request. Raises BadRequest."""
        ...

    def rate_headers(self, lease: Lease) -> Headers:
        """What is left of the caller's limits, under the names that its clients look for."""
        ...

    def answers(self, provider: Provider) -> bool:
        """Whether a provider of this kind can be asked at all."""
        ...

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        """The request with the provider's own name of the model. Raises BadRequest."""
        ...

    def shape(self, inquiry: Inquiry, content_type: str) -> Shape:
        """How this answer goes out. Raises UpstreamBroken where it is none to this request."""
        ...

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        """An answer in one piece as the caller gets it. Raises UpstreamBroken, UpstreamRefused."""
        ...

    def reader(self, inquiry: Inquiry) -> StreamReader:
        """Reads along a streamed answer."""
        ...


class Spoken:
    """What endpoints of OpenAI's form have in common, unless they say otherwise: they ask providers that have
    OpenAI's paths, and are answered in one piece.
    """

    dialect: Dialect = OpenAI()

    def rate_headers(self, lease: Lease) -> Headers:
        return rate_headers(lease)

    def answers(self, provider: Provider) -> bool:
        return speaks_openai(provider)

    def shape(self, inquiry: Inquiry, content_type: str) -> Shape:
        return shape_of(inquiry, content_type)

    def reader(self, inquiry: Inquiry) -> StreamReader:
        raise NotImplementedError("these answers are never streamed")


def speaks_openai(provider: Provider) -> bool:
    """Whether a provider has OpenAI's paths next to chat."""
    return "openai_chat" in provider.wires


def shape_of(inquiry: Inquiry, content_type: str) -> Shape:
    """Events where they were asked for, one piece otherwise. Raises UpstreamBroken where it is the other
    one.
    """
    events = content_type.startswith(EVENT_STREAM)
    if events == inquiry.stream:
        return Shape.EVENTS if events else Shape.WHOLE
    asked = "a stream" if inquiry.stream else "one answer"
    raise UpstreamBroken(f"the provider answered a request for {asked} with something else")
