"""What a client of the gateway does in each client scenario of the suite, whose server is behind the gateway:
the gateway is the client that the suite looks at.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import URL_ELICITATION_REQUIRED, ElicitRequestFormParams, ElicitRequestURLParams, ElicitResult
from msgspec import Struct

from tests.mcp_gateway.conformance.door import Asked
from tests.mcp_gateway.conformance.suite import LEFT_OUT
from tests.mcp_gateway.credentials.conftest import browsing
from tests.mcp_gateway.gateway import Gateway

AUTH = "auth/"
_VALUES = {"string": "eu", "number": 1, "object": {}, "array": [], "null": None}
_MODES = {"2026-07-28": "2026-07-28", "2025-11-25": "legacy"}
_TIMES = 2


class Visit(Struct, frozen=True):
    """A gateway before the suite's server, and what the suite wants of it."""

    gateway: Gateway
    revision: str
    asked: Asked

    @property
    def path(self) -> str:
        return f"/servers/{self.asked.server}/mcp"

    def client(self, answer: Any = None) -> AbstractAsyncContextManager[Client]:
        """A user's client, of the era that the revision belongs to."""
        return self.gateway.client(_MODES[self.revision], self.path, elicitation_callback=answer or _accept)


async def _accept(context: Any, params: Any) -> ElicitResult:
    """Accepts every form with the defaults that it has, and confirms the rest."""
    assert isinstance(params, ElicitRequestFormParams)
    fields: dict[str, Any] = params.requested_schema.get("properties", {})
    content = {name: field.get("default", True) for name, field in fields.items()}
    return ElicitResult(action="accept", content=content)


async def _list(visit: Visit) -> None:
    async with visit.client() as client:
        await client.list_tools()


async def _add(visit: Visit) -> None:
    async with visit.client() as client:
        answer = await client.call_tool("add_numbers", {"a": 2, "b": 3})
        assert not answer.is_error


async def _call_all(visit: Visit) -> None:
    """Every tool there is, one after another."""
    async with visit.client() as client:
        for tool in (await client.list_tools()).tools:
            answer = await client.call_tool(tool.name, {})
            assert not answer.is_error, answer


async def _headers(visit: Visit) -> None:
    await _call_all(visit)
    async with visit.client() as client:
        for prompt in (await client.list_prompts()).prompts:
            await client.get_prompt(prompt.name)
        for resource in (await client.list_resources()).resources:
            await client.read_resource(str(resource.uri))


async def _custom_headers(visit: Visit) -> None:
    async with visit.client() as client:
        await client.list_tools()
        for call in visit.asked.context["toolCalls"]:
            # By their own schemas the tools take no null; the gateway would say so.
            given = {name: value for name, value in call["arguments"].items() if value is not None}
            await client.call_tool(call["name"], given)


async def _call_listed(visit: Visit) -> None:
    """By hand: the official client would leave out by itself what the gateway should not have listed."""
    ask = partial(visit.gateway.ask, path=visit.path)
    for tool in (await ask("tools/list")).json["result"]["tools"]:
        fields = tool["inputSchema"]["properties"].items()
        given = {name: _VALUES[field["type"]] for name, field in fields}
        params = {"name": tool["name"], "arguments": given}
        await ask("tools/call", params, headers={"mcp-param-region": "eu"})


async def _echo_schema(visit: Visit) -> None:
    async with visit.client() as client:
        schemas = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        await client.call_tool("json_schema_echo", {"schema": schemas["json_schema_2020_12_tool"]})


async def _connect(visit: Visit) -> None:
    """A user who connects to the server, follows every link that they are shown, and connects again where the
    server does not know them any more.
    """
    async with browsing(visit.gateway) as browser:

        async def follow(context: Any, params: Any) -> ElicitResult:
            assert isinstance(params, ElicitRequestURLParams)
            await browser.allow(params.url)
            return ElicitResult(action="accept")

        for _ in range(_TIMES):
            grants = f"{visit.gateway.service.url}/oauth/grants/{visit.asked.server}"
            offered = await browser.http.post(grants, headers=visit.gateway.identity())
            await browser.allow(offered.json()["url"])
            if "result" in (await visit.gateway.ask("tools/list", path=visit.path)).json:
                break
        async with visit.client(follow) as client:
            for tool in (await client.list_tools()).tools:
                try:
                    await client.call_tool(tool.name, {})
                except MCPError as error:
                    # In the session era links come as an error, and the user calls again.
                    if error.code != URL_ELICITATION_REQUIRED:
                        raise
                    await browser.allow(error.data["elicitations"][0]["url"])
                    await client.call_tool(tool.name, {})


def visit_of(scenario: str) -> Callable[[Visit], Awaitable[None]] | None:
    """None for what is left out."""
    known = scenario.startswith(AUTH) and not scenario.startswith(LEFT_OUT)
    return VISITS.get(scenario, _connect if known else None)


VISITS: dict[str, Callable[[Visit], Awaitable[None]]] = {
    "initialize": _list,
    "tools_call": _add,
    "elicitation-sep1034-client-defaults": _call_all,
    "sse-retry": _call_all,
    "request-metadata": _list,
    "sep-2322-client-request-state": _call_all,
    "http-standard-headers": _headers,
    "http-custom-headers": _custom_headers,
    "http-invalid-tool-headers": _call_listed,
    "json-schema-ref-no-deref": _list,
    "json-schema-2020-12-preservation": _echo_schema,
}
