"""Embeddings of providers that do not speak OpenAI's form, by the wire that they do speak."""

from typing import Protocol

from llm_gateway.catalog import Target
from llm_gateway.endpoints.endpoint import Inquiry, Outbound
from llm_gateway.endpoints.gemini_embeddings import GeminiEmbeddings
from llm_gateway.providers import Provider


class Translation(Protocol):
    def answers(self, provider: Provider) -> bool:
        """Whether a provider that speaks this wire has embeddings."""
        ...

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        """Raises BadRequest where this wire has no words for what is asked."""
        ...

    def reply(self, inquiry: Inquiry, target: Target, body: bytes) -> bytes:
        """The provider's answer in OpenAI's form, vectors as numbers. Raises UpstreamBroken,
        UpstreamRefused.
        """
        ...


TRANSLATED: dict[str, Translation] = {"gemini": GeminiEmbeddings()}
