"""A stream in which a model calls one tool, its arguments in pieces, as each kind of provider sends it."""

from collections.abc import Callable

import msgspec

from tests.llm_gateway.matrix.upstream import Calls
from tests.support import anthropic_provider as anthropic
from tests.support import bedrock_provider as bedrock
from tests.support import gemini_provider as gemini
from tests.support import providers
from tests.support import responses_provider as responses
from tests.support.providers import Behaviour, Call, Json


def calls_streamed(kind: str, calls: Calls) -> Behaviour:
    """`kind` is a provider's."""
    [(call_id, name, arguments)] = calls
    text = msgspec.json.encode(arguments).decode()
    return _KINDS[kind](call_id, name, (text[:3], text[3:7], text[7:]))


def _openai(call_id: str, name: str, pieces: tuple[str, ...]) -> Behaviour:
    begun = {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    deltas: list[Json] = [{"role": "assistant", "content": None, "tool_calls": [begun]}]
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    events = [*map(providers.chunk, deltas), providers.chunk({}, finish="tool_calls")]
    usage = providers.event({"choices": [], "usage": providers.USAGE})

    async def behave(call: Call) -> None:
        counted = [usage] if providers.wants_usage(call) else []
        await providers.sending([*events, *counted, providers.DONE])(call)

    return behave


def _responses(call_id: str, name: str, pieces: tuple[str, ...]) -> Behaviour:
    call = responses.call(name, "".join(pieces), call_id=call_id)
    return providers.sending([responses.wire(responses.events(call))])


def _anthropic(call_id: str, name: str, pieces: tuple[str, ...]) -> Behaviour:
    block = anthropic.tool_block(0, call_id, name, *pieces)
    return anthropic.streams(anthropic.events(block, stop="tool_use"))


def _gemini(call_id: str, name: str, pieces: tuple[str, ...]) -> Behaviour:
    arguments = msgspec.json.decode("".join(pieces))
    part = gemini.call(name, arguments, signature=gemini.SIGNATURE)
    return gemini.replying(part, response_id=f"resp-{call_id}")


def _bedrock(call_id: str, name: str, pieces: tuple[str, ...]) -> Behaviour:
    begun = {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": call_id, "name": name}}}
    events = [bedrock.event("messageStart", {"role": "assistant"}), bedrock.event("contentBlockStart", begun)]
    events += [bedrock.delta(0, {"toolUse": {"input": piece}}) for piece in pieces]
    events.append(bedrock.event("contentBlockStop", {"contentBlockIndex": 0}))
    return bedrock.converse_stream([*events, *bedrock.closing("tool_use")])


_KINDS: dict[str, Callable[[str, str, tuple[str, ...]], Behaviour]] = {
    "openai_compatible": _openai,
    "openai_responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock": _bedrock,
}
