"""Agents in a process of their own that do what a message tells them, over the plain wire, and write down
what they were answered.

`python -m tests.stack.crew EDGE LOG name…` prints `name url` for each and goes when its input closes. A
message is a `Node` as JSON; what each of its steps came to is a line in LOG.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
from a2a.helpers import new_text_part
from a2a.server.agent_execution import RequestContext
from a2a.server.tasks import TaskUpdater
from msgspec import Struct

from shared import server
from shared.http_client import HttpClient, Reply
from shared.sse import SseSplitter, data_of
from tests.support.agents import agent
from tests.support.executors import Worker

Kind = Literal["model", "tool", "agent"]
_CAP = 2**22
# A storm on a busy machine: nobody gives up.
_PATIENCE = 150.0
_ERA = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": _ERA,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Node(Struct, frozen=True, kw_only=True):
    """One call. `mark` is its own, below its caller's: `chain7/b/m`. `name` is what is called. An agent does
    its `steps`, all at once if they go `together`, and then ends well, or `raises`.
    """

    mark: str
    kind: Kind
    name: str
    streams: bool = False
    steps: tuple["Node", ...] = ()
    together: bool = False
    raises: bool = False


class Line(Struct, frozen=True, kw_only=True):
    """What a call was answered: its status, the ids in the answer's headers, and its text."""

    mark: str
    status: int = 0
    call: str = ""
    chain: str = ""
    text: str = ""


class Crew:
    """What all agents of a process call others with."""

    def __init__(self, edge: str, log: Path) -> None:
        self._edge = edge
        self._log = log.open("ab", buffering=0)
        self._http = HttpClient()

    async def close(self) -> None:
        await self._http.close()
        self._log.close()

    async def did(self, node: Node, bearer: str) -> list[Line]:
        """What the steps of `node` came to, done by the holder of `bearer`."""
        if node.together:
            return list(await asyncio.gather(*(self.call(step, bearer) for step in node.steps)))
        return [await self.call(step, bearer) for step in node.steps]

    async def call(self, node: Node, bearer: str) -> Line:
        path, body, headers = _WRITTEN[node.kind](node)
        headers |= {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        payload = msgspec.json.encode(body)
        async with await self._http.send(
            "POST",
            self._edge + path,
            headers=list(headers.items()),
            body=payload,
            connect_timeout=_PATIENCE,
            header_timeout=_PATIENCE,
        ) as reply:
            with contextlib.suppress(Exception):  # an answer that is cut has no text
                text = await (_streamed(reply) if node.streams and reply.status == 200 else _whole(reply))
                return self._noted(node, reply, text)
            return self._noted(node, reply, "")

    def _noted(self, node: Node, reply: Reply, text: str) -> Line:
        ids = {name: reply.header(f"x-gatestack-{name}") or "" for name in ("call", "chain")}
        line = Line(mark=node.mark, status=reply.status, text=text, **ids)
        self._log.write(msgspec.json.encode(line) + b"\n")
        return line


async def _whole(reply: Reply) -> str:
    return (await reply.read(_CAP)).decode()


async def _streamed(reply: Reply) -> str:
    splitter, found = SseSplitter(), []
    async for chunk in reply.chunks():
        found += [data_of(event).decode() for event in splitter.feed(chunk)]
    return "\n".join(found)


def _model(node: Node) -> tuple[str, Any, dict[str, str]]:
    body = {"model": node.name, "messages": [{"role": "user", "content": node.mark}], "max_tokens": 64}
    more = {"stream": True, "stream_options": {"include_usage": True}} if node.streams else {}
    return "/v1/chat/completions", body | more, {"x-gatestack-tags": node.mark.replace("/", ".")}


def _tool(node: Node) -> tuple[str, Any, dict[str, str]]:
    arguments = {"text": node.mark} if node.name.endswith("echo") else {}
    params = {"name": node.name, "arguments": arguments, "_meta": _META}
    body = {"jsonrpc": "2.0", "id": node.mark, "method": "tools/call", "params": params}
    headers = {"mcp-protocol-version": _ERA, "mcp-method": "tools/call", "mcp-name": node.name}
    return "/mcp", body, headers | {"accept": "application/json, text/event-stream"}


def _agent(node: Node) -> tuple[str, Any, dict[str, str]]:
    text = msgspec.json.encode(node).decode()
    message = {"messageId": node.mark, "role": "ROLE_USER", "parts": [{"text": text}]}
    method = "SendStreamingMessage" if node.streams else "SendMessage"
    body = {"jsonrpc": "2.0", "id": node.mark, "method": method, "params": {"message": message}}
    return f"/agents/{node.name}", body, {"a2a-version": "1.0"}


Written = Callable[[Node], tuple[str, Any, dict[str, str]]]
_WRITTEN: dict[Kind, Written] = {"model": _model, "tool": _tool, "agent": _agent}
Act = Callable[[Node, str], Awaitable[list[Line]]]


class Member(Worker):
    """Works on a task: the steps that its message holds, with the bearer that came with it."""

    def __init__(self, act: Act) -> None:
        super().__init__()
        self._act = act

    async def work(self, context: RequestContext, updater: TaskUpdater) -> None:
        assert context.call_context is not None
        headers = context.call_context.state["headers"]
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        node = msgspec.json.decode(context.get_user_input(), type=Node)
        await updater.start_work()
        lines = await self._act(node, bearer)
        if node.raises:
            raise RuntimeError(f"{node.mark} does not end well")
        done = " ".join(f"{line.mark}:{line.status}" for line in lines)
        await updater.add_artifact([new_text_part(done)], artifact_id="lines")
        await updater.complete()


async def main(edge: str, log: Path, names: list[str]) -> int:
    async with contextlib.AsyncExitStack() as opened:
        crew = Crew(edge, log)
        opened.push_async_callback(crew.close)
        for name in names:
            running = await opened.enter_async_context(agent(Member(crew.did), name))
            sys.stdout.write(f"{name} {running.url}\n")
            sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    return 0


if __name__ == "__main__":
    sys.exit(server.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])))
