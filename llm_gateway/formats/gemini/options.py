"""Everything about a request but its contents, as a provider gets it: tools, generationConfig and what only
Gemini knows.
"""

import re
from collections.abc import Iterator
from typing import Any

from llm_gateway.chat.request import Chat, HostedTool, Reasoning, Tool
from llm_gateway.formats.gemini.signature import ORIGIN

Fields = dict[str, Any]
_GENERATION = re.compile(r"gemini-(\d+(?:\.\d+)?)")
_BUDGETS = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
_MODES = {"auto": "AUTO", "none": "NONE", "any": "ANY", "named": "ANY"}
# The least that the models take which cannot stop thinking.
_LEAST_BUDGET = 128


def generation_of(model: str) -> float:
    """3.1 of `gemini-3.1-pro`, 0 where the name does not say."""
    found = _GENERATION.search(model)
    return float(found[1]) if found else 0.0


def tools(chat: Chat) -> list[Fields]:
    declared = [_declaration(tool, chat) for tool in chat.tools if isinstance(tool, Tool)]
    hosted = [tool.value for tool in chat.tools if isinstance(tool, HostedTool) and tool.origin == ORIGIN]
    return [*([{"functionDeclarations": declared}] if declared else []), *hosted]


def tool_config(chat: Chat) -> Fields:
    found: Fields = {}
    choice = chat.tool_choice
    if choice is not None and any(isinstance(tool, Tool) for tool in chat.tools):
        calling: Fields = {"mode": _MODES[choice.mode]}
        if choice.mode == "named":
            calling["allowedFunctionNames"] = [choice.name]
        found["functionCallingConfig"] = calling
    return found


def generation_config(chat: Chat, model: str) -> Fields:
    found: Fields = {
        "temperature": chat.temperature,
        "topP": chat.top_p,
        "topK": chat.top_k,
        "maxOutputTokens": chat.max_tokens,
        "stopSequences": list(chat.stop) or None,
        "seed": chat.seed,
        "presencePenalty": chat.presence_penalty,
        "frequencyPenalty": chat.frequency_penalty,
        "thinkingConfig": _thinking(chat.reasoning, model) or None,
    }
    if chat.output.kind != "text":
        found["responseMimeType"] = "application/json"
    if chat.output.kind == "schema":
        found["responseJsonSchema"] = chat.output.schema
    return {name: value for name, value in found.items() if value is not None}


def with_extra(body: Fields, chat: Chat) -> Fields:
    """`body` and what a caller of Gemini's own format wants beyond the neutral form: a dot leads into an
    object.
    """
    for name, value in chat.extra.items() if chat.origin == ORIGIN else ():
        *path, last = name.split(".")
        if path == ["tools"]:
            continue
        place = body
        for step in path:
            place = place.setdefault(step, {})
        place[last] = value
    return body


def dropped(chat: Chat, model: str) -> Iterator[str]:
    """The names of what Gemini has no words for."""
    given = {
        "n": chat.n > 1,
        "logprobs": chat.logprobs is not None,
        "user": chat.user,
        "metadata": chat.metadata,
        "service_tier": chat.service_tier and chat.origin != ORIGIN,
        "reasoning": chat.reasoning and not _thinks(model),
    }
    yield from (name for name, is_given in given.items() if is_given)
    yield from (
        f"tools.{tool.kind}" for tool in chat.tools if isinstance(tool, HostedTool) and tool.origin != ORIGIN
    )
    yield from _unheld(chat)
    if chat.origin != ORIGIN:
        yield from (f"extra.{name}" for name in chat.extra)


def _unheld(chat: Chat) -> Iterator[str]:
    """Promises about tools that Gemini does not make: one call at a time, arguments that always fit."""
    choice = chat.tool_choice
    if choice is not None and choice.parallel is False:
        yield "tool_choice.parallel"
    own = [tool for tool in chat.tools if isinstance(tool, Tool)]
    if any(tool.strict for tool in own) and (choice is None or choice.mode == "auto"):
        yield "tools.strict"
    if any(tool.cache_point for tool in own):
        yield "tools.cache_point"


def _declaration(tool: Tool, chat: Chat) -> Fields:
    found: Fields = {"name": tool.name}
    if tool.description:
        found["description"] = tool.description
    if tool.schema:
        found["parametersJsonSchema"] = tool.schema
    if chat.origin == ORIGIN:
        beyond = {name: value for name, value in chat.extra.items() if name.startswith("tools.")}
        found |= {
            name.removeprefix("tools."): value[tool.name]
            for name, value in beyond.items()
            if tool.name in value
        }
    return found


def _thinks(model: str) -> bool:
    return not 0 < generation_of(model) < 2.5


def _thinking(wanted: Reasoning | None, model: str) -> Fields:
    if wanted is None or not _thinks(model):
        return {}
    found: Fields = {} if wanted.show is None else {"includeThoughts": wanted.show}
    if wanted.budget is not None:
        return found | {"thinkingBudget": wanted.budget}
    if wanted.effort is None:
        return found
    if generation_of(model) >= 3:
        return found | {"thinkingLevel": _level(wanted.effort, pro="pro" in model)}
    budget = _BUDGETS[wanted.effort]
    return found | {"thinkingBudget": max(budget, _LEAST_BUDGET) if "pro" in model else budget}


def _level(effort: str, *, pro: bool) -> str:
    if effort in ("none", "minimal"):
        return "LOW" if pro else "MINIMAL"
    return "HIGH" if effort in ("xhigh", "max") else effort.upper()
