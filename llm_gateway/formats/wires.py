"""The wires there are. A format that clients speak is listed in `llm_gateway/app.py` instead."""

from llm_gateway.formats import Wire
from llm_gateway.formats.a2a import A2AWire
from llm_gateway.formats.anthropic.wire import AnthropicWire
from llm_gateway.formats.bedrock import BedrockWire
from llm_gateway.formats.gemini.wire import GeminiWire
from llm_gateway.formats.openai_chat import OpenAIChatWire
from llm_gateway.formats.openai_responses import OpenAIResponsesWire

WIRES: dict[str, Wire] = {
    "a2a": A2AWire(),
    "anthropic": AnthropicWire(),
    "bedrock": BedrockWire(),
    "gemini": GeminiWire(),
    "openai_chat": OpenAIChatWire(),
    "openai_responses": OpenAIResponsesWire(),
}
