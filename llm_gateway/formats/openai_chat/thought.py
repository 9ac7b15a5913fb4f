"""Reasoning and signatures in chat completions, which know neither: by the members that clients and providers
have come to use for them, so that what a client sends back unchanged is what it was given.

    reasoning_content   the text of the reasoning
    thinking_blocks     where it is signed: {type, thinking, signature, data, origin} one by one
    extra_content       of a tool call: its signature, Google's as Google writes it, others' below `gatestack`
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, Thinking, ToolCall
from llm_gateway.formats.openai_chat.content import ORIGIN

Json = dict[str, Any]
_OURS = "gatestack"
REDACTED = "redacted_thinking"


class Block(Struct, frozen=True):
    type: str = "thinking"
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    origin: str | None = None


def thoughts(blocks: Sequence[Block] | None, text: str | None, *, origin: str = "") -> list[Thinking]:
    """What an assistant message has thought. `origin` is whose a signature is where a block does not say."""
    if not blocks:
        return [Thinking(text=text, origin=ORIGIN)] if text else []
    return [
        Thinking(
            text="" if block.type == REDACTED else block.thinking or "",
            signature=(block.data if block.type == REDACTED else block.signature) or "",
            origin=block.origin or origin,
            redacted=block.type == REDACTED,
        )
        for block in blocks
    ]


def block(part: Thinking) -> Json | None:
    """None where `reasoning_content` says all there is."""
    if part.redacted:
        return {"type": REDACTED, "data": part.signature, "origin": part.origin}
    if not part.signature and part.origin in ("", ORIGIN):
        return None
    return {"type": "thinking", "thinking": part.text, "signature": part.signature, "origin": part.origin}


def shown(parts: Iterable[AnyPart]) -> Json:
    """The members of an assistant message that tell its thinking."""
    thinking = [part for part in parts if isinstance(part, Thinking)]
    found: Json = {}
    if text := "".join(part.text for part in thinking):
        found["reasoning_content"] = text
    blocks = [block(part) for part in thinking]
    if any(blocks):
        # All of them, for a block that is there is read instead of the text.
        found["thinking_blocks"] = [
            one or {"type": "thinking", "thinking": part.text, "signature": "", "origin": part.origin}
            for one, part in zip(blocks, thinking, strict=True)
        ]
    return found


def signed(call: ToolCall) -> Json:
    """The member of a tool call that carries its signature, if it has one."""
    if not call.signature:
        return {}
    if call.origin == ORIGIN:
        return {"extra_content": _object(call.signature)}
    return {"extra_content": {_OURS: {"origin": call.origin, "signature": call.signature}}}


def signature(extra: object) -> tuple[str, str]:
    """The signature of a call and whose it is, from what `signed` or a provider wrote."""
    if not isinstance(extra, dict) or not extra:
        return "", ""
    ours = extra.get(_OURS)
    if isinstance(ours, dict) and isinstance(ours.get("signature"), str):
        return ours["signature"], str(ours.get("origin", ""))
    return msgspec.json.encode(extra).decode(), ORIGIN


def _object(text: str) -> Json:
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
