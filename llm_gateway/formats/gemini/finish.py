"""Why a model stopped, in Gemini's words and in ours."""

from typing import Final

from llm_gateway.chat.reply import Stop
from shared.errors import UpstreamBroken, UpstreamRefused

BROKEN: Final = frozenset(
    ("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS")
)
_STOPS = {
    "STOP": Stop.END,
    "MAX_TOKENS": Stop.LENGTH,
    "CONTINUATION": Stop.PAUSE,
    "FINISH_REASON_UNSPECIFIED": Stop.END,
    "OTHER": Stop.END,
    "NO_IMAGE": Stop.END,
    "IMAGE_OTHER": Stop.END,
}
_REASONS = {Stop.LENGTH: "MAX_TOKENS", Stop.FILTERED: "SAFETY", Stop.PAUSE: "OTHER"}


def stop_of(reason: str, *, called: bool) -> Stop:
    """`called`: the model wants tools run, which Gemini does not tell from an end. Reasons that we have not
    heard of are the filters that it adds from time to time.

    Raises UpstreamBroken where the model has failed, UpstreamRefused where the request's thoughts have lost
    their signatures.
    """
    if reason in BROKEN:
        raise UpstreamBroken(f"the model's answer cannot be used ({reason})")
    if reason == "MISSING_THOUGHT_SIGNATURE":
        raise UpstreamRefused(
            "the model wants its earlier tool calls back with the thoughtSignature that they came with",
            upstream_status=400,
            retryable=False,
        )
    stop = _STOPS.get(reason, Stop.FILTERED)
    return Stop.TOOLS if stop is Stop.END and called else stop


def reason_of(stop: Stop) -> str:
    return _REASONS.get(stop, "STOP")
