"""Places that answer model calls: one file a kind, its particulars as data. What a provider never sees is the
caller.
"""

from collections.abc import Callable
from typing import Protocol

from llm_gateway.config import ProviderSection
from llm_gateway.providers.agent import AgentProvider
from llm_gateway.providers.anthropic import AnthropicProvider
from llm_gateway.providers.azure_openai import AzureOpenAI
from llm_gateway.providers.bedrock import BedrockProvider
from llm_gateway.providers.gemini import GeminiProvider
from llm_gateway.providers.openai_compatible import OpenAICompatible
from llm_gateway.providers.vertex import VertexProvider
from llm_gateway.providers.vertex_anthropic import VertexAnthropic, is_anthropic
from shared.asgi import Headers
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply


class Provider(Protocol):
    """`wires` are the formats it speaks, the best one first; the caller's own is taken where it is among
    them.
    """

    name: str
    wires: tuple[str, ...]
    section: ProviderSection

    def address(self, wire: str, model: str, *, stream: bool) -> str:
        """Where a call in the format `wire` for its model `model` goes."""
        ...

    async def prepare(self, http: HttpClient) -> None:
        """Before `headers`: gets a token that has to be asked for. Raises UpstreamFault where none can be
        had.
        """
        ...

    def headers(self, passed: Headers, *, address: str, body: bytes) -> Headers:
        """The headers of a call: its own credential or signature, and what little of the caller's (`passed`)
        goes on.
        """
        ...

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        """What an answer that is no success means for the caller, and whether another target may be tried.
        Its `detail` holds the provider's own words where the caller can act on them, its `body` the error as
        it came.
        """
        ...

    def redacted(self, body: bytes) -> bytes:
        """`body` without this provider's credential, should it quote it."""
        ...


PROVIDERS: dict[str, Callable[[str, ProviderSection], Provider]] = {
    "openai_compatible": OpenAICompatible,
    "anthropic": AnthropicProvider,
    "azure_openai": AzureOpenAI,
    "bedrock": BedrockProvider,
    "gemini": GeminiProvider,
    "vertex": VertexProvider,
    "agent": AgentProvider,
}


def speaker(provider: Provider, model: str) -> Provider:
    """Who speaks for one model of a provider: some have models with a wire of their own."""
    if isinstance(provider, VertexProvider) and is_anthropic(model):
        return VertexAnthropic(provider)
    return provider
