"""Clients that follow one task each to its end, whatever happens to their streams: by hand and with the
official SDK.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
from a2a.client.errors import A2AClientError
from a2a.types import GetTaskRequest, SubscribeToTaskRequest
from a2a.utils.errors import A2AError
from google.protobuf.json_format import MessageToDict

from shared.errors import UpstreamFault
from shared.http_client import HttpClient
from shared.ledger.entry import new_id
from shared.sse import SseSplitter, data_of
from tests.stack.puppet import agents, message

PAUSE_SECONDS = 0.1
Json = dict[str, Any]


class Broken(Exception):
    """A stream that ended with an error, or did not begin."""


Source = Callable[[str, str], AsyncIterator[Json]]


class Listener:
    """One client with one task: it reads events, and subscribes again for as long as there are more to come.

    `said` are the numbers that came as events, `known` those that it has been told in any way.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.task = ""
        self.said: list[int] = []
        self.known: list[int] = []
        self.breaks = 0
        self.over = False

    async def run(self) -> None:
        method, name = "SendStreamingMessage", new_id()
        while not self.over:
            try:
                async for event in self._source(method, name):
                    self._take(event)
                if method != "GetTask":
                    return
                method = "SubscribeToTask"
            except (Broken, UpstreamFault, A2AClientError, A2AError, httpx.HTTPError):
                if not self.task:
                    raise
                self.breaks += 1
                await asyncio.sleep(PAUSE_SECONDS)
                # A task that has ended in the meantime cannot be subscribed to any more.
                method = "GetTask" if method == "SubscribeToTask" else "SubscribeToTask"
                name = self.task

    def _take(self, event: Json) -> None:
        if "task" in event:
            self._told(event["task"])
        elif "artifactUpdate" in event:
            [part] = event["artifactUpdate"]["artifact"]["parts"]
            number = int(part["text"])
            assert number == len(self.known) + 1, (number, self.known)
            self.said.append(number)
            self.known.append(number)
        else:
            self.over = event["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"

    def _told(self, task: Json) -> None:
        """A task as it stands: with everything that has been said, each once."""
        assert self.task in ("", task["id"])
        self.task = task["id"]
        parts = [int(part["text"]) for one in task.get("artifacts", []) for part in one["parts"]]
        assert parts == list(range(1, len(parts) + 1))
        assert len(parts) >= len(self.known)
        self.known = parts
        self.over = task["status"]["state"] == "TASK_STATE_COMPLETED"


def raw(http: HttpClient, edge: str, key: str, calls: list[str]) -> Source:
    """A client that speaks to the edge by hand, and keeps the id of every call that was answered."""

    async def events(method: str, name: str) -> AsyncIterator[Json]:
        params: Json = {"id": name}
        if method == "SendStreamingMessage":
            params = {"message": {"messageId": name, "role": "ROLE_USER", "parts": [{"text": "go"}]}}
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = [("authorization", f"Bearer {key}"), ("a2a-version", "1.0")]
        headers.append(("content-type", "application/json"))
        url = f"{edge}/agents/lasting"
        async with await http.send("POST", url, headers=headers, body=body) as reply:
            calls.append(reply.header("x-gatestack-call") or "")
            if "event-stream" not in (reply.header("content-type") or ""):
                yield {"task": _result(await reply.read(2**20))}
                return
            splitter = SseSplitter()
            async for chunk in reply.chunks():
                for data in filter(None, map(data_of, splitter.feed(chunk))):
                    yield _result(data)

    return events


def _result(body: bytes) -> Json:
    found = msgspec.json.decode(body)
    if "error" in found:
        raise Broken(found["error"])
    result: Json = found["result"]
    return result


def official(edge: str, key: str) -> Source:
    """The same with the official client."""

    async def events(method: str, name: str) -> AsyncIterator[Json]:
        async with agents(edge, key, "lasting", streaming=True) as client:
            if method == "SendStreamingMessage":
                found = client.send_message(message("go"))
            elif method == "SubscribeToTask":
                found = client.subscribe(SubscribeToTaskRequest(id=name))
            else:
                yield {"task": MessageToDict(await client.get_task(GetTaskRequest(id=name)))}
                return
            async for event in found:
                yield MessageToDict(event)

    return events
