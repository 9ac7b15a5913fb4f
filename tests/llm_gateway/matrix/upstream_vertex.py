"""Anthropic Messages as Google's Vertex AI has them."""

from tests.llm_gateway.matrix.upstream_anthropic import AnthropicUpstream
from tests.support.providers import Json


class VertexUpstream(AnthropicUpstream):
    kind = "vertex"

    def section(self, base_url: str) -> Json:
        place = base_url.removesuffix("/v1")
        return {
            "kind": self.kind,
            "project": "acme",
            "region": "global",
            "base_url": place,
            "key": "${KEY}",
        }
