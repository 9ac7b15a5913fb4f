"""Why a model stopped, in Anthropic's words and in ours."""

from llm_gateway.chat.reply import Stop

_READ = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.LENGTH,
    "tool_use": Stop.TOOLS,
    "refusal": Stop.FILTERED,
    "pause_turn": Stop.PAUSE,
}
_WRITTEN = {
    Stop.END: "end_turn",
    Stop.SEQUENCE: "stop_sequence",
    Stop.LENGTH: "max_tokens",
    Stop.TOOLS: "tool_use",
    Stop.FILTERED: "refusal",
    Stop.PAUSE: "pause_turn",
}


def read_stop(reason: str | None) -> Stop:
    return _READ.get(reason or "", Stop.END)


def written_stop(stop: Stop, *, refused: bool) -> str:
    """`refused`: the model has declined in words that its provider keeps apart from an answer."""
    return "refusal" if refused and stop is Stop.END else _WRITTEN[stop]
