"""The official SDKs, unmodified: each asks the same things in its own words."""

from collections.abc import Callable
from typing import Protocol

from tests.llm_gateway.matrix.anthropic_client import AnthropicClient
from tests.llm_gateway.matrix.gemini_client import GeminiClient
from tests.llm_gateway.matrix.heard import Heard
from tests.llm_gateway.matrix.openai_clients import OpenAIChatClient, OpenAIResponsesClient


class Client(Protocol):
    """`loop` runs a tool until the model has had enough; all others ask once."""

    async def text(self) -> Heard: ...

    async def stream(self) -> Heard: ...

    async def tools(self) -> Heard: ...

    async def image(self) -> Heard: ...

    async def structured(self) -> Heard: ...

    async def thinking(self) -> Heard: ...

    async def loop(self) -> Heard: ...

    async def close(self) -> None: ...


CLIENTS: dict[str, Callable[[str, str, str], Client]] = {
    "openai_chat": OpenAIChatClient,
    "openai_responses": OpenAIResponsesClient,
    "anthropic": AnthropicClient,
    "gemini": GeminiClient,
}
