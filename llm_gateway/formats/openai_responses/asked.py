"""A caller's Responses request as a whole, in the neutral form."""

from typing import Any

import msgspec
from msgspec import Struct

from llm_gateway.ask import Ask
from llm_gateway.chat.request import Chat, HostedTool, Output, Reasoning, Tool
from llm_gateway.fields import others, refused, shaped, whole
from llm_gateway.formats.openai_chat.asked import JsonSchema, effort_of, schema_output
from llm_gateway.formats.openai_chat.tools import Function, choice_of, function_tool
from llm_gateway.formats.openai_responses.items import messages_of
from llm_gateway.formats.openai_responses.references import OURS
from llm_gateway.formats.openai_responses.signature import ORIGIN

Json = dict[str, Any]


class _Text(Struct, frozen=True):
    format: Json | None = None
    verbosity: str | None = None


class _Request(Struct, frozen=True):
    model: str
    input: str | list[Json] = []
    instructions: str | None = None
    stream: bool | None = None
    tools: list[Json] | None = None
    tool_choice: str | Json | None = None
    parallel_tool_calls: bool | None = None
    text: _Text | None = None
    reasoning: Json | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    service_tier: str | None = None
    previous_response_id: str | None = None


_decoder = msgspec.json.Decoder(_Request)
_KNOWN = frozenset(_Request.__struct_fields__) | {"stream_options", "background", "conversation", "prompt"}


def chat_of(ask: Ask) -> Chat:
    """Raises BadRequest naming the member that cannot be understood."""
    request = whole(ask, _decoder)
    choice, tools = choice_of(request.tool_choice, _tools(request.tools or []), request.parallel_tool_calls)
    reasoning, thinking_extra = _reasoning(request.reasoning or {})
    text = request.text or _Text()
    return Chat(
        origin=ORIGIN,
        model=request.model,
        messages=messages_of(request.input, request.instructions),
        stream=request.stream or False,
        tools=tools,
        tool_choice=choice,
        output=_output(text.format),
        reasoning=reasoning,
        max_tokens=request.max_output_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        logprobs=request.top_logprobs,
        user=request.user or "",
        metadata=request.metadata or {},
        service_tier=request.service_tier or "",
        extra=others(ask, _KNOWN) | _extra(request, text) | thinking_extra,
    )


def _extra(request: _Request, text: _Text) -> Json:
    found: Json = {"verbosity": text.verbosity} if text.verbosity else {}
    before = request.previous_response_id
    return found | ({"previous_response_id": before} if before and not before.startswith(OURS) else {})


def _reasoning(given: Json) -> tuple[Reasoning | None, Json]:
    """What has a place in the neutral form, and the rest."""
    effort, summary = given.get("effort"), given.get("summary")
    known = effort_of(effort)
    rest = {
        name: value
        for name, value in given.items()
        if value is not None and name != "summary" and not (name == "effort" and known)
    }
    extra = {"reasoning": rest} if rest else {}
    if known is None and summary is None:
        return None, extra
    return Reasoning(effort=known, show=True if summary is not None else None), extra


def _output(given: Json | None) -> Output:
    kind = (given or {}).get("type", "text")
    if kind == "text":
        return Output()
    if kind == "json_object":
        return Output(kind="json")
    if kind != "json_schema":
        raise refused("text.format.type", "must be text, json_object or json_schema")
    form = shaped(given, JsonSchema, "text.format")
    return schema_output(form.name, form.description, form.schema, form.strict)


def _tools(items: list[Json]) -> tuple[Tool | HostedTool, ...]:
    return tuple(_tool(item, f"tools[{place}]") for place, item in enumerate(items))


def _tool(item: Json, path: str) -> Tool | HostedTool:
    kind = item.get("type")
    if not isinstance(kind, str):
        raise refused(f"{path}.type", "must say what kind of tool this is")
    if kind == "function":
        return function_tool(shaped(item, Function, path))
    return HostedTool(origin=ORIGIN, kind=kind, value=item)
