"""The tools that the conformance suite calls by their fixed names, and what it expects of each."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import (
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    InputRequest,
    InputRequiredResult,
    TextContent,
    TextResourceContents,
)
from msgspec import Struct

from tests.support.mcp_everything_questions import Questions, ask, form, require, roots, sampling

Ctx = ServerRequestContext[Any, Any]
Result = CallToolResult | InputRequiredResult
Run = Callable[[Ctx, CallToolRequestParams], Awaitable[Result]]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
_PAUSE_SECONDS = 0.05
_NAME = {"user_name": form("What is your name?", name="string")}
_CONFIRM = {"confirm": form("Please confirm", ok="boolean")}


class Tool(Struct, frozen=True):
    description: str
    run: Run
    properties: dict[str, Any] = {}
    schema: dict[str, Any] = {}

    @property
    def input_schema(self) -> dict[str, Any]:
        own = {"type": "object", "properties": self.properties, "required": list(self.properties)}
        return self.schema or own


def says(*blocks: str | ContentBlock, is_error: bool = False) -> CallToolResult:
    content = [TextContent(type="text", text=b) if isinstance(b, str) else b for b in blocks]
    return CallToolResult(content=content, is_error=is_error)


def image() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    resource = TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return EmbeddedResource(type="resource", resource=resource)


async def log(ctx: Ctx, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await ctx.session.send_log_message("info", text, related_request_id=ctx.request_id)


def always(*blocks: str | ContentBlock, is_error: bool = False) -> Run:
    async def run(ctx: Ctx, params: CallToolRequestParams) -> Result:
        return says(*blocks, is_error=is_error)

    return run


def asking(*rounds: Questions, stated: bool = False) -> Run:
    """Tells what it was answered, once it was."""

    async def run(ctx: Ctx, params: CallToolRequestParams) -> Result:
        return _told(await ask(ctx, params, *rounds, stated=stated))

    return run


async def _with_logging(ctx: Ctx, params: CallToolRequestParams) -> Result:
    await log(ctx, "Tool execution started")
    await asyncio.sleep(_PAUSE_SECONDS)
    await log(ctx, "Tool processing data")
    await asyncio.sleep(_PAUSE_SECONDS)
    await log(ctx, "Tool execution completed")
    return says("It was logged.")


async def _with_progress(ctx: Ctx, params: CallToolRequestParams) -> Result:
    for progress in (0, 50, 100):
        await ctx.session.report_progress(progress, 100)
        await asyncio.sleep(_PAUSE_SECONDS)
    return says("It was reported.")


async def _sampling(ctx: Ctx, params: CallToolRequestParams) -> Result:
    require(ctx, sampling={})
    prompt = (params.arguments or {}).get("prompt", "")
    return _told(await ask(ctx, params, {"sampled": sampling(prompt)}))


async def _elicitation(ctx: Ctx, params: CallToolRequestParams) -> Result:
    require(ctx, elicitation={})
    message = (params.arguments or {}).get("message", "")
    return _told(await ask(ctx, params, {"user": form(message, username="string", email="string")}))


async def _streaming_elicitation(ctx: Ctx, params: CallToolRequestParams) -> Result:
    await ctx.session.report_progress(1, 2)
    return await asking(_CONFIRM)(ctx, params)


async def _capabilities(ctx: Ctx, params: CallToolRequestParams) -> Result:
    """Asks for everything that the client offers."""
    offered = ctx.session.client_capabilities
    questions: dict[str, InputRequest] = {}
    if offered is not None and offered.sampling is not None:
        questions["capital"] = sampling("What is the capital of France?")
    if offered is not None and offered.elicitation is not None:
        questions |= _NAME
    return _told(await ask(ctx, params, questions))


async def _missing_capability(ctx: Ctx, params: CallToolRequestParams) -> Result:
    require(ctx, sampling={})
    return says("The client offers sampling.")


def _told(answers: Any) -> Result:
    if isinstance(answers, InputRequiredResult):
        return answers
    told = {key: answer.model_dump(by_alias=True, exclude_none=True) for key, answer in answers.items()}
    return says(f"state-ok: {told}")


_DEFAULTS = form(
    "Please review",
    required=[],
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
_OPTIONS = ["option1", "option2", "option3"]
_TITLED = [{"const": f"value{number}", "title": f"Choice {number}"} for number in (1, 2, 3)]
_LEGACY = {"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]}
_ENUMS = form(
    "Please choose",
    required=[],
    untitledSingle={"type": "string", "enum": _OPTIONS},
    titledSingle={"type": "string", "oneOf": _TITLED},
    legacyEnum={"type": "string", **_LEGACY},
    untitledMulti={"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
    titledMulti={"type": "array", "items": {"anyOf": _TITLED}},
)
_PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
_REGION = {"region": {"type": "string", "x-mcp-header": "Region"}}
_MIXED = embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
_EVERYTHING: Questions = {**_NAME, "greeting": sampling("Generate a greeting", 50), "client_roots": roots()}

TOOLS: dict[str, Tool] = {
    "test_simple_text": Tool("Says one thing.", always("This is a simple text response for testing.")),
    "test_image_content": Tool("Shows a picture.", always(image())),
    "test_audio_content": Tool(
        "Makes a sound.", always(AudioContent(type="audio", data=WAV, mime_type="audio/wav"))
    ),
    "test_embedded_resource": Tool(
        "Hands out a resource.",
        always(embedded("test://embedded-resource", "This is an embedded resource content.")),
    ),
    "test_multiple_content_types": Tool(
        "Hands out a bit of everything.", always("Multiple content types test:", image(), _MIXED)
    ),
    "test_error_handling": Tool(
        "Fails.", always("This tool intentionally returns an error for testing", is_error=True)
    ),
    "test_tool_with_logging": Tool("Writes three log messages.", _with_logging),
    "test_logging_tool": Tool("Writes log messages where they are wanted.", _with_logging),
    "test_tool_with_progress": Tool("Reports on its progress.", _with_progress),
    "test_sampling": Tool("Asks the client's model.", _sampling, {"prompt": {"type": "string"}}),
    "test_elicitation": Tool("Asks the user.", _elicitation, {"message": {"type": "string"}}),
    "test_elicitation_sep1034_defaults": Tool("Asks with defaults.", asking({"defaults": _DEFAULTS})),
    "test_elicitation_sep1330_enums": Tool("Asks for choices.", asking({"enums": _ENUMS})),
    "test_streaming_elicitation": Tool("Reports, then asks.", _streaming_elicitation),
    "test_missing_capability": Tool("Needs sampling.", _missing_capability),
    "json_schema_2020_12_tool": Tool("Takes a person.", always("Nice to meet you."), schema=_PERSON),
    "test_header_parameter": Tool("Takes a mirrored parameter.", always("Mirrored."), _REGION),
    "test_input_required_result_elicitation": Tool("Asks for a name.", asking(_NAME)),
    "test_input_required_result_sampling": Tool(
        "Asks a model.", asking({"capital_question": sampling("What is the capital of France?")})
    ),
    "test_input_required_result_list_roots": Tool("Asks for roots.", asking({"client_roots": roots()})),
    "test_input_required_result_request_state": Tool("Keeps state.", asking(_CONFIRM, stated=True)),
    "test_input_required_result_tampered_state": Tool("Seals state.", asking(_CONFIRM, stated=True)),
    "test_input_required_result_multiple_inputs": Tool(
        "Asks three things at once.", asking(_EVERYTHING, stated=True)
    ),
    "test_input_required_result_multi_round": Tool(
        "Asks one thing after another.",
        asking(
            {"step1": form("Step 1: What is your name?", name="string")},
            {"step2": form("Step 2: What is your favorite color?", color="string")},
        ),
    ),
    "test_input_required_result_capabilities": Tool("Asks what it may ask.", _capabilities),
}
