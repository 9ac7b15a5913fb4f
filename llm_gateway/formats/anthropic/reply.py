"""A neutral reply as Anthropic's clients get it."""

from typing import Any

import msgspec

from llm_gateway.chat.parts import AnyPart, Foreign, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply
from llm_gateway.formats.anthropic.blocks import Block
from llm_gateway.formats.anthropic.signatures import ORIGIN, sealed, sealed_call
from llm_gateway.formats.anthropic.stops import written_stop
from llm_gateway.formats.anthropic.usage import written
from llm_gateway.formats.anthropic.written import input_of
from shared.ledger.entry import Usage, new_id

_UNSAYABLE = "[{kind} left out: Anthropic's format has no place for it in an answer]"


def message_id(given: str) -> str:
    return given or f"msg_{new_id()}"


def head(given_id: str, model: str) -> dict[str, Any]:
    """What a message and a stream's first event have in common."""
    return {"id": message_id(given_id), "type": "message", "role": "assistant", "model": model}


def written_reply(reply: Reply, model: str, tokens_in: int) -> bytes:
    """`model` and `tokens_in` stand in where the provider did not say."""
    refused = any(isinstance(part, Refusal) for part in reply.parts)
    blocks: list[Block] = []
    for part in reply.parts:
        _add(blocks, part)
    told = {
        **head(reply.id, reply.model or model),
        "content": blocks,
        "stop_reason": written_stop(reply.stop, refused=refused),
        "stop_sequence": reply.stop_sequence or None,
        "usage": written(reply.usage or Usage(tokens_in=tokens_in, tokens_out=0)),
    }
    return msgspec.json.encode(told)


def block_of(part: AnyPart) -> Block | None:
    """None for what only another wire knows."""
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text}
        case Thinking(redacted=True):
            return {"type": "redacted_thinking", "data": sealed(part.origin, part.signature)}
        case Thinking():
            signature = sealed(part.origin, part.signature)
            return {"type": "thinking", "thinking": part.text, "signature": signature}
        case ToolCall():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": input_of(part)}
        case Foreign():
            return part.value if part.origin == ORIGIN else None
    return {"type": "text", "text": _UNSAYABLE.format(kind=type(part).__name__.lower())}


def seal_of(call: ToolCall) -> Block | None:
    """The block that carries another provider's signature of a call."""
    if not call.signature or call.origin == ORIGIN:
        return None
    return {"type": "redacted_thinking", "data": sealed_call(call)}


def _add(blocks: list[Block], part: AnyPart) -> None:
    if isinstance(part, Foreign) and part.origin == ORIGIN and "type" not in part.value:
        if blocks:
            blocks[-1] = {**blocks[-1], **part.value}
        return
    block = block_of(part)
    if block is not None:
        blocks.append(block)
    seal = seal_of(part) if isinstance(part, ToolCall) else None
    if seal is not None:
        blocks.append(seal)
