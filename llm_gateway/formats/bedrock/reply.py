"""Converse's reply as the neutral one."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from llm_gateway.chat.parts import AnyPart, Foreign, Image, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats.bedrock.content import ORIGIN
from shared.errors import UpstreamBroken
from shared.ledger.entry import Usage

Count = Annotated[int, Meta(ge=0, le=2**32)]

_STOPS = {
    "end_turn": Stop.END,
    "tool_use": Stop.TOOLS,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.LENGTH,
    "stop_sequence": Stop.SEQUENCE,
    "guardrail_intervened": Stop.FILTERED,
    "content_filtered": Stop.FILTERED,
    "refusal": Stop.FILTERED,
    "pause_turn": Stop.PAUSE,
}
_MALFORMED = frozenset(("malformed_model_output", "malformed_tool_use"))


class WireUsage(Struct, frozen=True, rename="camel"):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None

    def counted(self) -> Usage:
        """What comes from the cache or goes there is not in Bedrock's input."""
        read, written = self.cache_read_input_tokens or 0, self.cache_write_input_tokens or 0
        return Usage(
            tokens_in=self.input_tokens + read + written,
            tokens_out=self.output_tokens,
            cached=read,
            cache_write=written,
        )


class _Router(Struct, frozen=True, rename="camel"):
    invoked_model_id: str = ""


class Trace(Struct, frozen=True, rename="camel"):
    """What is said of how an answer came about. `prompt_router` chooses among models."""

    prompt_router: _Router | None = None

    @property
    def model(self) -> str:
        return self.prompt_router.invoked_model_id.rpartition("/")[2] if self.prompt_router else ""


class Beyond(Struct, frozen=True):
    """The model's own members that were asked for."""

    stop_sequence: str | None = None


class _ToolUse(Struct, frozen=True, rename="camel"):
    tool_use_id: str
    name: str
    input: dict[str, Any] = {}


class _ReasoningText(Struct, frozen=True):
    text: str = ""
    signature: str = ""


class _Reasoning(Struct, frozen=True, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _Source(Struct, frozen=True):
    bytes: str = ""


class _Image(Struct, frozen=True):
    format: str
    source: _Source = _Source()


class _Cited(Struct, frozen=True):
    content: list[dict[str, Any]] = []


class _Block(Struct, frozen=True, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    image: _Image | None = None
    citations_content: _Cited | None = None


class _Message(Struct, frozen=True):
    content: list[dict[str, Any]] = []


class _Output(Struct, frozen=True):
    message: _Message


class _Reply(Struct, frozen=True, rename="camel"):
    output: _Output
    stop_reason: str
    usage: WireUsage | None = None
    trace: Trace | None = None
    additional: Beyond | None = field(default=None, name="additionalModelResponseFields")


_decode = msgspec.json.Decoder(_Reply).decode


def read(body: bytes) -> Reply:
    """Raises UpstreamBroken."""
    try:
        said = _decode(body)
        parts = tuple(_part(block) for block in said.output.message.content)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's answer is no Converse reply", cause=error) from error
    return Reply(
        id="",
        model=said.trace.model if said.trace else "",
        parts=parts,
        stop=stop_of(said.stop_reason),
        stop_sequence=(said.additional.stop_sequence or "") if said.additional else "",
        usage=said.usage.counted() if said.usage else None,
    )


def stop_of(reason: str) -> Stop:
    """Raises UpstreamBroken where the model has failed to say something whole."""
    if reason in _MALFORMED:
        raise UpstreamBroken(f"the model's answer is unusable ({reason})")
    return _STOPS.get(reason, Stop.END)


def image(form: str, data: str) -> Image:
    return Image(media_type=f"image/{form}", data=data)


def _part(wire: dict[str, Any]) -> AnyPart:
    block = msgspec.convert(wire, _Block)
    if block.text is not None:
        return Text(text=block.text)
    if block.tool_use is not None:
        call = block.tool_use
        arguments = msgspec.json.encode(call.input).decode()
        return ToolCall(id=call.tool_use_id, name=call.name, arguments=arguments)
    if block.reasoning_content is not None:
        return _thinking(block.reasoning_content)
    if block.image is not None:
        return image(block.image.format, block.image.source.bytes)
    if block.citations_content is not None:
        return Text(text="".join(str(each.get("text", "")) for each in block.citations_content.content))
    return Foreign(origin=ORIGIN, kind=next(iter(wire), ""), value=wire)


def _thinking(reasoning: _Reasoning) -> Thinking:
    if reasoning.redacted_content is not None:
        return Thinking(signature=reasoning.redacted_content, origin=ORIGIN, redacted=True)
    said = reasoning.reasoning_text or _ReasoningText()
    return Thinking(text=said.text, signature=said.signature, origin=ORIGIN)
