"""What a user of an SDK would have seen, whatever SDK it was."""

from typing import Any

from msgspec import Struct

TOOL = "get_weather"
TOOL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
# One red pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="


class Heard(Struct, kw_only=True):
    """`calls` are names and arguments; `status` that of an error, `words` what it said."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, dict[str, Any]]] = []
    tokens_in: int = 0
    tokens_out: int = 0
    status: int = 0
    words: str = ""
    pieces: int = 0
    broken: bool = False


def user(content: Any) -> Any:
    """A message as OpenAI's and Anthropic's users write it."""
    return {"role": "user", "content": content}


def run(arguments: dict[str, Any]) -> str:
    """What the tool says."""
    return f"sunny in {arguments['city']}"
