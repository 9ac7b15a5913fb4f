"""Places that answer model calls: one file a kind, its particulars as data. What a provider never sees is the
caller.
"""

from collections.abc import Callable
from typing import Protocol

from llm_gateway.config import ProviderSection
from llm_gateway.providers.openai_compatible import OpenAICompatible
from shared.asgi import Headers
from shared.errors import UpstreamRefused
from shared.http_client import Reply


class Provider(Protocol):
    name: str
    # The name of the wire format it speaks.
    format: str
    section: ProviderSection

    def address(self, model: str) -> str:
        """Where a call for its model `model` goes."""
        ...

    def headers(self, passed: Headers) -> Headers:
        """The headers of a call: its own credential, and what little of the caller's (`passed`) goes on."""
        ...

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        """What an answer that is no success means for the caller, and whether another target may be tried."""
        ...

    def redacted(self, body: bytes) -> bytes:
        """`body` without this provider's credential, should it quote it."""
        ...


PROVIDERS: dict[str, Callable[[str, ProviderSection], Provider]] = {
    "openai_compatible": OpenAICompatible,
}
