"""The wire formats that the edge writes its own errors in."""

from shared.clock import Clock
from shared.dialects import Dialect
from shared.dialects.a2a import A2A
from shared.dialects.anthropic import Anthropic
from shared.dialects.gemini import Gemini
from shared.dialects.mcp import Mcp
from shared.dialects.openai import OpenAI
from shared.dialects.plain import Plain


def dialects(clock: Clock, public_url: str) -> dict[str, Dialect]:
    """By the names that the route table has for them."""
    return {
        "openai": OpenAI(),
        "anthropic": Anthropic(clock),
        "gemini": Gemini(),
        "mcp": Mcp(public_url=public_url),
        "a2a": A2A(),
        "plain": Plain(),
    }
