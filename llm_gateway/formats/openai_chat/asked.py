"""A caller's chat completion request as a whole, in the neutral form."""

from typing import Any, cast, get_args

import msgspec
from msgspec import Struct

from llm_gateway.ask import Ask
from llm_gateway.chat.request import Chat, Effort, Output, Reasoning
from llm_gateway.fields import others, refused, shaped, whole
from llm_gateway.formats.openai_chat.content import ORIGIN
from llm_gateway.formats.openai_chat.messages import Spoken, messages_of
from llm_gateway.formats.openai_chat.tools import Function, choice_of, functions_of, tools_of

Json = dict[str, Any]
_EFFORTS = frozenset(get_args(Effort))


class _Request(Struct, frozen=True):
    model: str
    messages: list[Spoken]
    stream: bool | None = None
    tools: list[Json] | None = None
    tool_choice: str | Json | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Function] | None = None
    function_call: str | Json | None = None
    response_format: Json | None = None
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    service_tier: str | None = None


class JsonSchema(Struct, frozen=True):
    name: str = ""
    description: str | None = None
    schema: Json | None = None
    strict: bool | None = None


class _SchemaFormat(Struct, frozen=True):
    json_schema: JsonSchema


_decoder = msgspec.json.Decoder(_Request)
# What streams look like is said by the gateway itself.
_KNOWN = frozenset(_Request.__struct_fields__) | {"stream_options"}


def chat_of(ask: Ask) -> Chat:
    """Raises BadRequest naming the member that cannot be understood."""
    request = whole(ask, _decoder)
    tools = tools_of(request.tools or []) + functions_of(request.functions or [])
    choice, tools = choice_of(_choice(request), tools, request.parallel_tool_calls)
    effort, extra = effort_of(request.reasoning_effort), others(ask, _KNOWN)
    if request.reasoning_effort and effort is None:
        extra["reasoning_effort"] = request.reasoning_effort
    return Chat(
        origin=ORIGIN,
        model=request.model,
        messages=messages_of(request.messages),
        stream=request.stream or False,
        tools=tools,
        tool_choice=choice,
        output=_output(request.response_format),
        reasoning=Reasoning(effort=effort) if effort is not None else None,
        max_tokens=request.max_tokens
        if request.max_completion_tokens is None
        else request.max_completion_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=_stop(request.stop),
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        n=request.n or 1,
        logprobs=(request.top_logprobs or 0) if request.logprobs else None,
        user=request.user or "",
        metadata=request.metadata or {},
        service_tier=request.service_tier or "",
        extra=extra,
    )


def _choice(request: _Request) -> str | Json | None:
    if request.tool_choice is not None or request.function_call is None:
        return request.tool_choice
    older = request.function_call
    return older if isinstance(older, str) else {"type": "function", "function": older}


def _stop(given: str | list[str] | None) -> tuple[str, ...]:
    if not given:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def effort_of(given: object) -> Effort | None:
    """An effort that everybody knows; None for what only one provider does."""
    return cast(Effort, given) if isinstance(given, str) and given in _EFFORTS else None


def _output(given: Json | None) -> Output:
    kind = (given or {}).get("type", "text")
    if kind == "text":
        return Output()
    if kind == "json_object":
        return Output(kind="json")
    if kind != "json_schema":
        raise refused("response_format.type", "must be text, json_object or json_schema")
    form = shaped(given, _SchemaFormat, "response_format").json_schema
    return schema_output(form.name, form.description, form.schema, form.strict)


def schema_output(name: str, description: str | None, schema: Json | None, strict: bool | None) -> Output:
    described = {"description": description} if description else {}
    return Output(kind="schema", name=name, schema=described | (schema or {}), strict=strict)
