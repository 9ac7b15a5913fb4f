"""What only some of Bedrock's models know, and goes past Converse's own members: thinking, top_k, and which
ways of sampling go together. Models are told apart by their id, wherever in an ARN or behind a region it
stands.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html
"""

import re
from typing import Any

from msgspec import Struct, field

from llm_gateway.chat.request import Chat, Effort, Reasoning
from llm_gateway.formats.anthropic.thinking import translated
from llm_gateway.formats.bedrock.turns import calls_unsigned

Json = dict[str, Any]

_CLAUDE = re.compile(r"anthropic\.claude-(?:[a-z]+-(\d+)(?:-(\d{1,2})(?!\d))?|(\d+)(?:-(\d{1,2})(?!\d))?)?")
_NEWEST = (99, 0)
_THINKS, _LEVELS, _ONE_SAMPLING, _NO_SAMPLING = (3, 7), (4, 6), (4, 1), (4, 7)
# Where the caller does not say how long the answer may be and thoughts count as part of it.
_ANSWER_TOKENS = 4_096
_LOWER: dict[Effort, str] = {"none": "low", "minimal": "low", "low": "low", "medium": "medium"}


class Settings(Struct):
    """A request's settings, on their way to what its model takes."""

    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    effort: str = ""
    additional: Json = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)


def settings(chat: Chat, model: str, dropped: list[str]) -> Settings:
    found = Settings(chat.max_tokens, chat.temperature, chat.top_p)
    if found.temperature is not None and found.temperature > 1:
        found.temperature = 1.0
        dropped.append("temperature")
    claude = _CLAUDE.search(model)
    if claude is not None:
        _claude(chat, found, _version(claude), dropped)
        return found
    if chat.top_k is not None:
        _top_k(chat.top_k, model, found, dropped)
    if chat.reasoning is not None:
        _reasoning(chat.reasoning, model, found, dropped)
    return found


def _version(claude: re.Match[str]) -> tuple[int, int]:
    """`claude-sonnet-4-5` and, before that, `claude-3-7-sonnet`. What has no number is newer than this
    file.
    """
    major, minor = claude[1] or claude[3], claude[2] or claude[4]
    return (int(major), int(minor or 0)) if major else _NEWEST


def _claude(chat: Chat, found: Settings, version: tuple[int, int], dropped: list[str]) -> None:
    if chat.reasoning is not None and not _claude_thinks(chat, found, version):
        dropped.append("reasoning")
    if chat.top_k is not None:
        found.additional["top_k"] = chat.top_k
    if "thinking" in found.additional or version >= _NO_SAMPLING:
        _unsampled(found, dropped)
    elif version >= _ONE_SAMPLING and found.temperature is not None and found.top_p is not None:
        found.top_p = None
        dropped.append("top_p")
    if chat.stop:
        found.paths.append("/stop_sequence")


def _claude_thinks(chat: Chat, found: Settings, version: tuple[int, int]) -> bool:
    """Whether it will do as asked. It cannot think before a call that is forced, and without levels not in
    the middle of a loop whose earlier thoughts are lost.
    """
    adaptive = version >= _LEVELS
    allowance = translated(chat.reasoning, chat.max_tokens, _ANSWER_TOKENS, adaptive=adaptive)
    if allowance is not None and allowance.thinking is None:
        return True
    forced = chat.tool_choice is not None and chat.tool_choice.mode in ("any", "named")
    lost = not adaptive and calls_unsigned(chat.messages)
    if allowance is None or version < _THINKS or forced or lost:
        return False
    found.max_tokens, found.effort = allowance.max_tokens, allowance.effort
    found.additional["thinking"] = allowance.thinking
    return True


def _unsampled(found: Settings, dropped: list[str]) -> None:
    if found.temperature not in (None, 1):
        dropped.append("temperature")
    if found.top_p not in (None, 1):
        dropped.append("top_p")
    if found.additional.pop("top_k", None) is not None:
        dropped.append("top_k")
    found.temperature = found.top_p = None


def _top_k(top_k: int, model: str, found: Settings, dropped: list[str]) -> None:
    if "amazon.nova" in model:
        found.additional["inferenceConfig"] = {"topK": top_k}
    elif "cohere.command" in model:
        found.additional["k"] = top_k
    else:
        dropped.append("top_k")


def _reasoning(reasoning: Reasoning, model: str, found: Settings, dropped: list[str]) -> None:
    level = _LOWER.get(reasoning.effort or "medium", "high")
    off = reasoning.effort == "none" or reasoning.budget == 0
    if "openai.gpt-oss" in model:
        found.additional["reasoning_effort"] = level
    elif off:
        return
    elif "amazon.nova-2" in model:
        found.additional["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
    else:
        dropped.append("reasoning")
