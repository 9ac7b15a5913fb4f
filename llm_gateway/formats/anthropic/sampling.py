"""How an answer is drawn and where it ends: what of it Anthropic takes."""

from typing import Any

from llm_gateway.chat.request import Chat
from llm_gateway.formats.anthropic.signatures import ORIGIN

_HOTTEST = 1.0
_LEAST_TOP_P_OF_THINKING = 0.95


def sampling(chat: Chat, body: dict[str, Any], dropped: list[str]) -> dict[str, Any]:
    """`body` is what is said already: with thinking, less is allowed."""
    told: dict[str, Any] = {
        name: value
        for name, value in (("temperature", chat.temperature), ("top_p", chat.top_p), ("top_k", chat.top_k))
        if value is not None
    }
    stop = list(chat.stop)
    if chat.origin != ORIGIN:
        _fit(told, dropped, thinks="thinking" in body)
        stop = [sequence for sequence in stop if sequence.strip()]
    if stop:
        told["stop_sequences"] = stop
    if len(stop) < len(chat.stop):
        dropped.append("stop")
    dropped += _unknown(chat)
    return told


def _fit(told: dict[str, Any], dropped: list[str], *, thinks: bool) -> None:
    """Makes `told` what every model of Anthropic's takes."""
    if told.get("top_p") == 1:
        # That is what it is anyway, and newer models want one of the two only.
        del told["top_p"]
    unfit: list[str] = []
    if thinks:
        unfit += [name for name in ("temperature", "top_k") if name in told and told[name] != 1]
        unfit += ["top_p"] if told.get("top_p", 1) < _LEAST_TOP_P_OF_THINKING else []
        told.pop("temperature", None)
        told.pop("top_k", None)
    elif "temperature" in told and "top_p" in told:
        unfit.append("top_p")
    if told.get("temperature", 0) > _HOTTEST:
        told["temperature"] = _HOTTEST
        dropped.append("temperature")
    for name in unfit:
        told.pop(name, None)
        dropped.append(name)


def _unknown(chat: Chat) -> list[str]:
    """What Anthropic has no words for. That which changes nothing is not missed."""
    asked = {
        "seed": chat.seed is not None,
        "n": chat.n != 1,
        "presence_penalty": bool(chat.presence_penalty),
        "frequency_penalty": bool(chat.frequency_penalty),
        "logprobs": chat.logprobs is not None,
    }
    return [name for name, given in asked.items() if given]
