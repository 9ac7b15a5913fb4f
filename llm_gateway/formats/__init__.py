"""Wire formats of chat calls: one folder each, spoken by clients (Format) and by providers (Wire).

Where caller and provider speak the same one, bytes pass through and only the few members that must change do.
Where not, `llm_gateway/call.py` and `incoming.py` put the neutral form (`llm_gateway/chat`) in between.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from llm_gateway.ask import Ask
from llm_gateway.chat.events import Event
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from shared.asgi import Headers
from shared.dialects import Dialect
from shared.errors import UpstreamFault
from shared.ledger.entry import Usage
from shared.limits.limiter import Lease


class StreamReader(Protocol):
    """Watches one streamed reply go by. `usage` is the provider's own count, None until it came.

    After what `feed` and `end` return has gone out, the stream is over where `done` or `fault` is set: by its
    proper end, or by an error of the provider's or something that is no event of the format.
    """

    usage: Usage | None
    done: bool
    fault: UpstreamFault | None

    def feed(self, chunk: bytes) -> bytes:
        """The whole events that may go out now."""
        ...

    def end(self) -> bytes:
        """The provider has closed: what is left to send."""
        ...

    def estimate(self) -> int:
        """Output tokens so far, guessed from bytes."""
        ...


class Writer(Protocol):
    """Neutral events into one client's stream. What follows the End is part of what it returns for the
    End.
    """

    def write(self, event: Event) -> bytes: ...


class Decoder(Protocol):
    """A provider's stream into neutral events, however its bytes are cut."""

    def feed(self, chunk: bytes) -> list[Event]:
        """Raises UpstreamRefused for an error in the stream, UpstreamBroken for what is no event of it."""
        ...

    def end(self) -> list[Event]:
        """The provider has closed. Raises UpstreamBroken when no End has come and none can be made up."""
        ...


class Outbound(Struct, frozen=True, kw_only=True):
    """A request as a provider gets it. `dropped` names what the caller asked for and this wire cannot say."""

    body: bytes
    dropped: tuple[str, ...] = ()


class Format(Protocol):
    """What clients speak. `paths` are route patterns; what they capture is handed to `read`."""

    name: str
    paths: tuple[str, ...]
    dialect: Dialect

    def read(self, body: bytes, params: Mapping[str, str]) -> Ask:
        """The caller's request. Raises BadRequest, NotFound."""
        ...

    def rate_headers(self, lease: Lease) -> Headers:
        """What is left of the caller's limits, under the names that this format's clients look for."""
        ...

    # Same in, same out.

    def body_for(self, ask: Ask, model: str, *, count: bool) -> bytes:
        """The request as a provider of this format gets it: its own name of the model and, with `count`, a
        wish for usage.
        """
        ...

    def usage_of(self, body: bytes) -> Usage | None:
        """The usage in a whole reply. Raises UpstreamBroken when that is no reply, UpstreamRefused when it is
        an error.
        """
        ...

    def reader(self, ask: Ask) -> StreamReader: ...

    # To and from the neutral form.

    def chat(self, ask: Ask) -> Chat:
        """Raises BadRequest, naming the member, when the request cannot be understood."""
        ...

    def reply(self, reply: Reply, ask: Ask) -> bytes: ...

    def writer(self, ask: Ask) -> Writer: ...


class Wire(Protocol):
    """What providers speak. `stream_type` is how the content type of its streams begins."""

    name: str
    stream_type: str

    def request(self, chat: Chat, model: str) -> Outbound:
        """Raises BadRequest where what the caller wants makes no sense without what this wire cannot say."""
        ...

    def reply(self, body: bytes) -> Reply:
        """Raises UpstreamBroken when that is no reply, UpstreamRefused when it is an error."""
        ...

    def decoder(self) -> Decoder: ...
