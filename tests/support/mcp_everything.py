"""A real server, made with the official SDK, of everything that the MCP conformance suite asks a server for;
of both eras, or of one.
"""

from typing import Any, Literal

from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from mcp_types import Tool as Listed

from tests.support.mcp_everything_questions import Ctx, ask, form, is_stateless
from tests.support.mcp_everything_tools import PNG, TOOLS, embedded, image, says
from tests.support.mcp_servers import legacy_only, stateless_only

Era = Literal["session", "stateless", "both"]
_NAME = "everything"
_CHANGES = {"test_trigger_tool_change": "tools", "test_trigger_prompt_change": "prompts"}
_TEXTS = {
    "test://static-text": "This is the content of the static text resource.",
    "test://watched-resource": "This resource may change.",
}
_BINARY = "test://static-binary"
_TEMPLATE = "test://template/{id}/data"
_PROMPTS = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}
_CONTEXT = {"user_context": form("What context should the prompt use?", context="string")}


def everything_app(era: Era) -> Any:
    """The server as an ASGI app at `/mcp`."""
    app = Everything().streamable_http_app()
    wraps: dict[Era, Any] = {"session": legacy_only, "stateless": stateless_only}
    return wraps[era](app) if era in wraps else app


class Everything(Server[Any]):
    def __init__(self) -> None:
        self._bus = InMemorySubscriptionBus()
        self._changed: set[str] = set()
        super().__init__(
            _NAME,
            version="1.0.0",
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_subscribe_resource=_accept,
            on_unsubscribe_resource=_accept,
            on_subscriptions_listen=ListenHandler(self._bus),
            on_completion=_complete,
        )
        # To pass it to the constructor warns that its era is over.
        self.add_request_handler("logging/setLevel", SetLevelRequestParams, _accept)
        self.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=_NAME))

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """What it tells in a handshake: also that its lists may change."""
        changes = NotificationOptions(prompts_changed=True, tools_changed=True)
        return super().create_initialization_options(changes, experimental_capabilities, extensions)

    async def _list_tools(self, ctx: Ctx, params: PaginatedRequestParams | None) -> ListToolsResult:
        listed = [
            Listed(name=name, description=tool.description, input_schema=tool.input_schema)
            for name, tool in TOOLS.items()
        ]
        for name in (*_CHANGES, *(["test_dynamic_tool"] if "tools" in self._changed else [])):
            listed.append(Listed(name=name, description="Changes a list.", input_schema={"type": "object"}))
        return ListToolsResult(tools=listed)

    async def _call_tool(
        self, ctx: Ctx, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        if params.name in _CHANGES:
            return await self._change(ctx, _CHANGES[params.name])
        if params.name not in TOOLS:
            raise MCPError(INVALID_PARAMS, f"there is no tool {params.name!r}")
        return await TOOLS[params.name].run(ctx, params)

    async def _change(self, ctx: Ctx, what: str) -> CallToolResult:
        """Adds something to a list, or takes it away again, and says so."""
        self._changed ^= {what}
        if is_stateless(ctx):
            await self._bus.publish(ToolsListChanged() if what == "tools" else PromptsListChanged())
        elif what == "tools":
            await ctx.session.send_tool_list_changed()
        else:
            await ctx.session.send_prompt_list_changed()
        return says("It has changed.")

    async def _list_prompts(self, ctx: Ctx, params: PaginatedRequestParams | None) -> ListPromptsResult:
        names = [*_PROMPTS, *(["test_dynamic_prompt"] if "prompts" in self._changed else [])]
        prompts = [
            Prompt(
                name=name,
                description=f"A prompt of {len(_PROMPTS.get(name, ()))} arguments.",
                arguments=[
                    PromptArgument(name=argument, description="A word.", required=True)
                    for argument in _PROMPTS.get(name, ())
                ],
            )
            for name in names
        ]
        return ListPromptsResult(prompts=prompts)

    async def _get_prompt(
        self, ctx: Ctx, params: GetPromptRequestParams
    ) -> GetPromptResult | InputRequiredResult:
        given = params.arguments or {}
        if params.name == "test_input_required_result_prompt":
            answers = await ask(ctx, params, _CONTEXT)
            if isinstance(answers, InputRequiredResult):
                return answers
            return _prompt(f"The context is {answers['user_context'].model_dump()}.")
        if params.name == "test_prompt_with_arguments":
            return _prompt(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")
        if params.name == "test_prompt_with_embedded_resource":
            resource = embedded(given["resourceUri"], "Embedded resource content for testing.")
            return _prompt(resource, "Please process the embedded resource above.")
        if params.name == "test_prompt_with_image":
            return _prompt(image(), "Please analyze the image above.")
        return _prompt("This is a simple prompt for testing.")

    async def _list_resources(self, ctx: Ctx, params: PaginatedRequestParams | None) -> ListResourcesResult:
        texts = [
            Resource(uri=uri, name=uri.partition("://")[2], description="A text.", mime_type="text/plain")
            for uri in _TEXTS
        ]
        binary = Resource(uri=_BINARY, name="binary", description="A picture.", mime_type="image/png")
        return ListResourcesResult(resources=[*texts, binary])

    async def _list_templates(
        self, ctx: Ctx, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        template = ResourceTemplate(
            uri_template=_TEMPLATE, name="data", description="Data by id.", mime_type="application/json"
        )
        return ListResourceTemplatesResult(resource_templates=[template])

    async def _read_resource(self, ctx: Ctx, params: ReadResourceRequestParams) -> ReadResourceResult:
        uri = str(params.uri)
        head, tail = _TEMPLATE.split("{id}")
        if uri in _TEXTS:
            return _text(uri, _TEXTS[uri], "text/plain")
        if uri == _BINARY:
            blob = BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
            return ReadResourceResult(contents=[blob])
        if uri.startswith(head) and uri.endswith(tail):
            found = uri.removeprefix(head).removesuffix(tail)
            text = f'{{"id":"{found}","templateTest":true,"data":"Data for ID: {found}"}}'
            return _text(uri, text, "application/json")
        raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})


async def _accept(
    ctx: Ctx, params: SubscribeRequestParams | UnsubscribeRequestParams | SetLevelRequestParams
) -> EmptyResult:
    return EmptyResult()


async def _complete(ctx: Ctx, params: CompleteRequestParams) -> CompleteResult:
    values = [city for city in ("paris", "park", "party") if city.startswith(params.argument.value)]
    return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))


def _prompt(*blocks: Any) -> GetPromptResult:
    contents = [TextContent(type="text", text=block) if isinstance(block, str) else block for block in blocks]
    return GetPromptResult(messages=[PromptMessage(role="user", content=content) for content in contents])


def _text(uri: str, text: str, mime_type: str) -> ReadResourceResult:
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=mime_type, text=text)])
