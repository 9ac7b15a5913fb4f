"""Wire formats of chat calls: one file each, spoken by clients and by providers.

Where caller and provider speak the same one, bytes pass through and only the few members named here change.
"""

from typing import Protocol

from llm_gateway.chat import Ask
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


class Format(Protocol):
    name: str
    path: str
    dialect: Dialect

    def read(self, body: bytes) -> Ask:
        """The caller's request. Raises BadRequest."""
        ...

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

    def rate_headers(self, lease: Lease) -> Headers:
        """What is left of the caller's limits, under the names that this format's clients look for."""
        ...
