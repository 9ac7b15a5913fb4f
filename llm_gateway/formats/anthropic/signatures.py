"""Other providers' signatures inside Anthropic's blocks, so that they survive a client that only echoes what
it was sent: its own go as they are, all others as `gatestack:` and a JSON list that begins with whose they
are.
"""

import msgspec

from llm_gateway.chat.parts import ToolCall

ORIGIN = "anthropic"
_MARK = "gatestack:"
# How a string with one of ours in it begins, in any JSON.
MARKED = b'"gatestack:['

_decode = msgspec.json.Decoder(tuple[str, ...]).decode


def sealed(origin: str, signature: str) -> str:
    return signature if origin == ORIGIN else _sealed(origin, signature)


def opened(signature: str) -> tuple[str, str]:
    """Whose it is, and what it is."""
    found = _opened(signature)
    return (found[0], found[1]) if len(found) == 2 else (ORIGIN, signature)


def sealed_call(call: ToolCall) -> str:
    """What a tool call's signature travels as, in a block of its own: calls have no place for one."""
    return _sealed(call.origin, call.id, call.signature)


def opened_call(data: str) -> tuple[str, str, str] | None:
    """Origin, id of the call, signature."""
    found = _opened(data)
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def _sealed(*fields: str) -> str:
    return _MARK + msgspec.json.encode(fields).decode()


def _opened(text: str) -> tuple[str, ...]:
    if not text.startswith(_MARK):
        return ()
    try:
        return _decode(text[len(_MARK) :])
    except (ValueError, RecursionError):
        return ()
