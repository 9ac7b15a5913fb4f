"""An MCP server of this stack in the place of an agent. A message with the data part
`{"tool": …, "arguments": {…}}` calls a tool; what is only said in words is answered with what can be called.

The call goes through the edge as any agent's does: policy, pins, limits and the ledger are those of the tool.
"""

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from agent_gateway.bridges import Part, Said, Work
from agent_gateway.bridges.asked import tool_call
from agent_gateway.bridges.credential import own_headers
from shared import jsonrpc, sse
from shared.bridges import ToolsBridge
from shared.dialects.mcp import STATELESS_VERSIONS, VERSION_HEADER
from shared.errors import Fault, UpstreamBroken
from shared.http_client import HttpClient, Reply
from shared.jsonrpc import Envelope

_VERSION = STATELESS_VERSIONS[0]
_META = {
    "io.modelcontextprotocol/protocolVersion": _VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "gatestack", "version": "0.1.0"},
}
_NO_ANSWER = "the MCP server's answer is none"
_ID = b"1"
_Form = TypeVar("_Form")


class _Content(Struct):
    type: str = ""
    text: str = ""
    data: str = ""
    mimeType: str = ""


class _Result(Struct):
    content: list[_Content] = []
    structuredContent: Raw = Raw()
    isError: bool = False


class _Tool(Struct):
    name: str
    description: str = ""
    inputSchema: Any = None


class _Tools(Struct):
    tools: list[_Tool] = []


class _Error(Struct):
    message: str = ""


class Tools:
    def __init__(self, http: HttpClient, *, edge: str) -> None:
        self._http = http
        self._edge = edge.rstrip("/")

    async def answer(self, work: Work) -> AsyncGenerator[Said, None]:
        bridge = work.target.agent.bridge
        if not isinstance(bridge, ToolsBridge):
            raise Fault(f"{work.target.agent.name} is no MCP server")
        wanted = tool_call(work.asked)
        yield Said()
        if wanted is None:
            yield _explained(await self._ask(work, bridge, "tools/list", "", {}))
            return
        params = {"name": wanted.tool, "arguments": wanted.arguments}
        yield _told(await self._ask(work, bridge, "tools/call", wanted.tool, params))

    async def _ask(
        self, work: Work, bridge: ToolsBridge, method: str, name: str, params: dict[str, Any]
    ) -> Envelope:
        """Raises UpstreamFault."""
        timeouts = work.target.agent.timeouts
        async with await self._http.send(
            "POST",
            f"{self._edge}/servers/{bridge.server}/mcp",
            headers=[
                *own_headers(work.target, inside=True),
                ("content-type", "application/json"),
                ("accept", "application/json, text/event-stream"),
                (VERSION_HEADER, _VERSION),
                ("mcp-method", method),
                *((("mcp-name", name),) if name else ()),
            ],
            body=jsonrpc.request(_ID, method, msgspec.json.encode(params | {"_meta": _META})),
            connect_timeout=timeouts.connect_seconds,
            header_timeout=timeouts.header_seconds,
            idle_timeout=timeouts.idle_seconds,
        ) as reply:
            return await _answer(reply, bridge.max_answer_bytes)


async def _answer(reply: Reply, cap: int) -> Envelope:
    """The message that ends the call. Raises UpstreamBroken."""
    body = await reply.read(cap)
    events = [body]
    if (reply.header("content-type") or "").startswith("text/event-stream"):
        events = [sse.data_of(event) for event in sse.SseSplitter(cap).feed(body)]
    try:
        found = [msgspec.json.decode(event, type=Envelope) for event in events if event]
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken(_NO_ANSWER, cause=error) from error
    answer = next((each for each in found if not each.method), None)
    if answer is None:
        raise UpstreamBroken(_NO_ANSWER)
    return answer


def _told(answer: Envelope) -> Said:
    """What a tool brought. Raises UpstreamBroken."""
    if bytes(answer.error):
        return _refused(answer)
    result = _read(answer.result, _Result)
    parts = [_part(content) for content in result.content]
    if bytes(result.structuredContent) not in (b"", b"null"):
        parts.append({"data": msgspec.json.decode(result.structuredContent)})
    words = "\n".join(str(part["text"]) for part in parts if "text" in part)
    return Said(parts=tuple(parts), text=words if result.isError else "", failed=result.isError)


def _explained(answer: Envelope) -> Said:
    """How this agent wants to be spoken to. Raises UpstreamBroken."""
    if bytes(answer.error):
        return _refused(answer)
    tools = _read(answer.result, _Tools).tools
    names = ", ".join(tool.name for tool in tools) or "none that you may use"
    words = (
        'This agent is a set of tools and understands no words. Send a data part {"tool": name, '
        f'"arguments": {{…}}}}. The tools: {names}'
    )
    return Said(text=words, parts=({"data": {"tools": msgspec.to_builtins(tools)}},), wants=True)


def _refused(answer: Envelope) -> Said:
    return Said(text=_read(answer.error, _Error).message or "the tool was refused", failed=True)


def _part(content: _Content) -> Part:
    if content.type == "text":
        return {"text": content.text}
    if content.data:
        return {"raw": content.data, "mediaType": content.mimeType}
    return {"data": {"type": content.type}}


def _read(raw: Raw, form: type[_Form]) -> _Form:
    try:
        return msgspec.json.decode(raw, type=form)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken(_NO_ANSWER, cause=error) from error
