"""What frameworks find behind the gateway: models that say what a test has written down, one of each kind of
provider.
"""

from collections.abc import Sequence

import msgspec
import pytest
from msgspec import Struct

from tests.llm_gateway.frameworks.streamed import calls_streamed
from tests.llm_gateway.gateway import Gateway
from tests.llm_gateway.matrix.heard import TOOL
from tests.llm_gateway.matrix.upstream import Calls, Upstream
from tests.llm_gateway.matrix.upstream_anthropic import AnthropicUpstream
from tests.llm_gateway.matrix.upstream_bedrock import BedrockUpstream
from tests.llm_gateway.matrix.upstream_gemini import GeminiUpstream
from tests.llm_gateway.matrix.upstream_openai import ChatUpstream
from tests.llm_gateway.matrix.upstream_responses import ResponsesUpstream
from tests.support.providers import Behaviour, Call, Json, ScriptedProvider

# A model's name here, and who answers to it.
KINDS: dict[str, Upstream] = {
    "of-openai": ChatUpstream(),
    "of-responses": ResponsesUpstream(),
    "of-anthropic": AnthropicUpstream(),
    "of-gemini": GeminiUpstream(),
    "of-bedrock": BedrockUpstream(),
}
OSLO, ROME = ("call_1", TOOL, {"city": "Oslo"}), ("call_2", TOOL, {"city": "Rome"})
SUNNY = ["sunny in Oslo", "sunny in Rome"]
every_kind = pytest.mark.parametrize("scripted", KINDS, indirect=True)
# Of these nobody keeps a conversation but the gateway.
forgetful_kinds = pytest.mark.parametrize("scripted", ["of-openai", "of-anthropic"], indirect=True)


class Scripted(Struct, frozen=True):
    """One model: how its provider is spoken to, and what that one says."""

    name: str
    upstream: Upstream
    provider: ScriptedProvider

    def section(self) -> Json:
        section = self.upstream.section(self.provider.base_url)
        return section if "access_key" in section else {"key": "${KEY}"} | section

    def will(self, *behaviours: Behaviour) -> None:
        self.provider.calls.clear()
        self.provider.will(*behaviours)

    def says(self, text: str = "", *, thinking: str = "", calls: Calls = ()) -> Behaviour:
        return self.upstream.says(text, thinking=thinking, calls=calls)

    def streams(self, *pieces: str, calls: Calls = ()) -> Behaviour:
        return calls_streamed(self.upstream.kind, calls) if calls else self.upstream.streams(*pieces)

    @property
    def calls(self) -> Sequence[Call]:
        return self.provider.calls

    def results(self, call: int = -1) -> list[str]:
        """What the tools have answered, as a request tells it."""
        return self.upstream.results(self.calls[call])

    def asked_for(self, call: int = -1) -> set[str]:
        """The members that an answer has to have, as a request tells it."""
        schema = self.upstream.schema(self.calls[call])
        if "textFormat" in schema:
            schema = msgspec.json.decode(schema["textFormat"]["structure"]["jsonSchema"]["schema"])
        return set(schema["properties"])

    def keeps_thoughts(self, call: int = -1) -> bool:
        """Whether a request holds the thoughts that were signed, where this kind signs any."""
        return bool(self.upstream.signatures(self.calls[call])) or not self.upstream.signs


class World(Struct, frozen=True):
    gateway: Gateway
    key: str
    models: dict[str, Scripted]

    @property
    def base_url(self) -> str:
        return f"{self.gateway.url}/v1"
