"""What OpenAI-compatible providers send, by its types, and with what many of them have added to it."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.chat.parts import Image, Text, Thinking
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.openai_chat.content import ORIGIN, image
from llm_gateway.formats.openai_chat.stream import refused_by
from llm_gateway.formats.openai_chat.thought import Block
from shared.errors import BadRequest, UpstreamBroken

Json = dict[str, Any]
_STOPS = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "tool_calls": Stop.TOOLS,
    "function_call": Stop.TOOLS,
    "content_filter": Stop.FILTERED,
}
NO_COMPLETION = "the provider's answer is no chat completion"


class _Function(Struct, frozen=True):
    name: str | None = None
    arguments: str | Json | None = None


class _Custom(Struct, frozen=True):
    name: str | None = None
    input: str | None = None


class Call(Struct, frozen=True):
    """`index` only in streams, and there not from everybody."""

    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Custom | None = None
    extra_content: Json | None = None

    @property
    def name(self) -> str:
        return (self.custom.name if self.custom else self.function.name if self.function else None) or ""

    @property
    def arguments(self) -> str:
        if self.custom is not None:
            return self.custom.input or ""
        given = self.function.arguments if self.function is not None else None
        # Some servers forget that arguments are text.
        return msgspec.json.encode(given).decode() if isinstance(given, dict) else given or ""


class _ImageUrl(Struct, frozen=True):
    url: str


class _Image(Struct, frozen=True):
    image_url: _ImageUrl


class Message(Struct, frozen=True):
    """A whole message, or a delta of one."""

    content: str | list[Json] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    thinking_blocks: list[Block] | None = None
    tool_calls: list[Call] | None = None
    function_call: _Function | None = None
    images: list[_Image] | None = None

    @property
    def thinking(self) -> str:
        return self.reasoning_content or (self.reasoning if isinstance(self.reasoning, str) else "")

    @property
    def calls(self) -> list[Call]:
        older = [Call(index=0, function=self.function_call)] if self.function_call is not None else []
        return older + (self.tool_calls or [])


class Choice(Struct, frozen=True):
    index: int = 0
    message: Message | None = None
    delta: Message | None = None
    finish_reason: str | None = None


class Answer(Struct, frozen=True):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[Choice] | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


_answer = msgspec.json.Decoder(Answer).decode


def read(data: bytes, *, streamed: bool = False) -> Answer:
    try:
        answer = _answer(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken(NO_COMPLETION, cause=error) from error
    if bytes(answer.error) not in (b"", b"null"):
        raise refused_by(answer.error, data if streamed else b"")
    return answer


def stop_of(given: str | None, *, called: bool) -> Stop:
    stop = _STOPS.get(given or "", Stop.END)
    # Some servers say stop where they mean: now run these.
    return Stop.TOOLS if called and stop is Stop.END else stop


def content_of(content: str | list[Json] | None) -> list[tuple[Text | Thinking, str]]:
    """Content is text, and with some providers a list in which thinking stands too."""
    if not content:
        return []
    if isinstance(content, str):
        return [(Text(), content)]
    found: list[tuple[Text | Thinking, str]] = []
    for item in content:
        inner = item.get("thinking")
        if isinstance(inner, list):
            text = "".join(str(piece.get("text", "")) for piece in inner if isinstance(piece, dict))
            found.append((Thinking(origin=ORIGIN), text))
        elif isinstance(item.get("text"), str):
            found.append((Text(), item["text"]))
    return [(kind, text) for kind, text in found if text]


def images_of(given: list[_Image] | None) -> list[Image]:
    try:
        return [image(each.image_url.url, None, "images") for each in given or ()]
    except BadRequest as error:
        raise UpstreamBroken(NO_COMPLETION, cause=error) from error
