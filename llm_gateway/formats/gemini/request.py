"""What a caller of generateContent asks, in the neutral form."""

from collections.abc import Container, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from llm_gateway.chat.request import Chat, HostedTool, Message, Output, Reasoning, Tool, ToolChoice
from llm_gateway.formats.gemini import contents, schema
from llm_gateway.formats.gemini.case import camel
from llm_gateway.formats.gemini.signature import ORIGIN
from shared.errors import BadRequest

Fields = dict[str, Any]
_EFFORTS = {"MINIMAL": "minimal", "LOW": "low", "MEDIUM": "medium", "HIGH": "high", "XHIGH": "xhigh"}
_DECLARED = frozenset(("name", "description", "parameters", "parametersJsonSchema"))
_Mode = Literal["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]
_JSON, _TEXT = "application/json", "text/plain"


class _Calling(Struct, rename="camel"):
    mode: _Mode = "AUTO"
    allowed_function_names: list[str] = []


class _Declaration(Struct, rename="camel"):
    name: str
    description: str = ""
    parameters: Fields | None = None
    parameters_json_schema: Fields | None = None


class _Thinking(Struct, rename="camel"):
    thinking_budget: int | None = None
    thinking_level: str = ""
    include_thoughts: bool | None = None


class _Generation(Struct, rename="camel"):
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] = []
    candidate_count: int = 1
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool = False
    logprobs: int | None = None
    response_mime_type: str = ""
    response_schema: Fields | None = None
    response_json_schema: Fields | None = None
    thinking_config: _Thinking | None = None


_GENERATION = frozenset(field.encode_name for field in msgspec.structs.fields(_Generation))


class _Body(Struct, rename="camel"):
    contents: list[Any] | Fields
    system_instruction: Fields | str | None = None
    tools: list[Fields] | Fields = []
    tool_config: Fields = {}
    generation_config: Fields = {}
    service_tier: str = ""


_BODY = frozenset(field.encode_name for field in msgspec.structs.fields(_Body)) | {"model"}


def chat(body: bytes, model: str, *, stream: bool) -> Chat:
    """Raises BadRequest, naming the member."""
    try:
        given = camel(msgspec.json.decode(body))
        return _chat(given, msgspec.convert(given, _Body, strict=False), model, stream=stream)
    except (ValueError, RecursionError) as error:
        raise BadRequest(contents.told(error), cause=error) from error


def _chat(given: Fields, body: _Body, model: str, *, stream: bool) -> Chat:
    wanted = msgspec.convert(body.generation_config, _Generation, strict=False)
    extra = _beyond(given, _BODY) | _beyond(body.generation_config, _GENERATION, "generationConfig.")
    return Chat(
        origin=ORIGIN,
        model=model,
        messages=_messages(body),
        stream=stream,
        tools=tuple(_tools(body.tools, extra)),
        tool_choice=_choice(body.tool_config, extra),
        output=_output(wanted, extra),
        reasoning=_reasoning(wanted.thinking_config),
        max_tokens=wanted.max_output_tokens,
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        top_k=None if wanted.top_k is None else int(wanted.top_k),
        stop=tuple(wanted.stop_sequences),
        seed=wanted.seed,
        presence_penalty=wanted.presence_penalty,
        frequency_penalty=wanted.frequency_penalty,
        n=wanted.candidate_count,
        logprobs=(wanted.logprobs or 0) if wanted.response_logprobs else None,
        service_tier=body.service_tier,
        extra=extra,
    )


def _beyond(given: Mapping[str, Any], known: Container[str], path: str = "") -> Fields:
    """The members that the neutral form has no place for, by their path. Raises ValueError where a name could
    be taken for one.
    """
    found = {path + name: value for name, value in given.items() if name not in known}
    if any("." in name for name in given):
        raise ValueError(f"no member of {path.rstrip('.') or 'the body'} has a dot in its name")
    return found


def _messages(body: _Body) -> tuple[Message, ...]:
    told = contents.instruction(body.system_instruction) if body.system_instruction is not None else ()
    return told + contents.messages(body.contents)


def _tools(given: list[Fields] | Fields, extra: Fields) -> list[Tool | HostedTool]:
    found: list[Tool | HostedTool] = []
    for fields in [given] if isinstance(given, dict) else given:
        for kind, value in fields.items():
            if kind == "functionDeclarations":
                declarations = msgspec.convert(value, list[Fields])
                found += [_declared(declaration, extra) for declaration in declarations]
            else:
                found.append(HostedTool(origin=ORIGIN, kind=kind, value={kind: value}))
    return found


def _declared(fields: Fields, extra: Fields) -> Tool:
    declared = msgspec.convert(fields, _Declaration, strict=False)
    for name, value in _beyond(fields, _DECLARED, "tools.").items():
        extra.setdefault(name, {})[declared.name] = value
    return Tool(
        name=declared.name,
        description=declared.description,
        schema=_schema(declared.parameters_json_schema, declared.parameters),
    )


def _schema(exact: Fields | None, subset: Fields | None) -> Fields:
    if exact is not None:
        return exact
    return schema.json_schema(subset) if subset else {}


def _choice(config: Mapping[str, Any], extra: Fields) -> ToolChoice | None:
    extra |= _beyond(config, {"functionCallingConfig"}, "toolConfig.")
    given = config.get("functionCallingConfig")
    if given is None:
        return None
    calling = msgspec.convert(given, _Calling, strict=False)
    allowed = calling.allowed_function_names
    if calling.mode == "ANY" and len(allowed) == 1:
        return ToolChoice(mode="named", name=allowed[0])
    extra |= _beyond(given, {"mode"}, "toolConfig.functionCallingConfig.")
    if calling.mode == "VALIDATED":
        extra["toolConfig.functionCallingConfig.mode"] = calling.mode
    return ToolChoice(mode="any" if calling.mode == "ANY" else "none" if calling.mode == "NONE" else "auto")


def _output(wanted: _Generation, extra: Fields) -> Output:
    mime, found = wanted.response_mime_type, _schema(wanted.response_json_schema, wanted.response_schema)
    if mime not in ("", _JSON, _TEXT):
        extra["generationConfig.responseMimeType"] = mime
    if found:
        return Output(kind="schema", schema=found)
    return Output(kind="json" if mime == _JSON else "text")


def _reasoning(config: _Thinking | None) -> Reasoning | None:
    """A budget of 0 is no thinking, one of -1 leaves it to the model."""
    if config is None:
        return None
    budget, show = config.thinking_budget, config.include_thoughts
    if budget == 0:
        return Reasoning(effort="none", show=show)
    effort = _EFFORTS.get(config.thinking_level.upper())
    known = msgspec.convert({"effort": effort, "show": show}, Reasoning)
    return msgspec.structs.replace(known, budget=budget if budget is not None and budget > 0 else None)
