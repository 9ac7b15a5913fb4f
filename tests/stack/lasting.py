"""An agent whose tasks outlive its process: killed and started again, it goes on where it was. It speaks A2A
1.0 over JSON-RPC by hand.

`python -m tests.stack.lasting EDGE FOLDER ADDRESS`. A task asks a model once and then says its numbers, one
event each, as far as the file `allowed` in FOLDER lets it; what each task has said is in a file of its own.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from shared import server, sse
from shared.asgi import Receive, Scope, Send
from shared.http_client import HttpClient

NUMBERS = 12
ALLOWED = "allowed"
_LOOK_SECONDS = 0.01
_CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
Json = dict[str, Any]
_CARD: Json = {
    "name": "lasting",
    "description": "Says numbers.",
    "version": "1.0.0",
    "supportedInterfaces": [],
    "capabilities": {"streaming": True},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "count", "name": "Count", "description": "Counts.", "tags": ["text"]}],
}


class Task:
    """One task. `said` is how many numbers it has said, and all that is kept of it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._file = folder / f"{name}.task"
        self._allowed = folder / ALLOWED
        self.said = int(self._file.read_text()) if self._file.exists() else 0
        self._listeners: list[asyncio.Queue[Json]] = []

    @property
    def over(self) -> bool:
        return self.said > NUMBERS

    def keep(self) -> None:
        # In the place of the old one at once: a kill must not leave an empty file.
        new = self._file.with_suffix(".new")
        new.write_text(str(self.said))
        new.replace(self._file)

    async def run(self) -> None:
        while not self.over:
            if self.said == int(self._allowed.read_text()):
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            self.said += 1
            self.keep()
            for listener in self._listeners:
                listener.put_nowait(self._event(self.said))
            await asyncio.sleep(0)

    async def events(self) -> AsyncIterator[Json]:
        """The task as it stands, and whatever it says from here on."""
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            yield {"task": self.snapshot()}
            while True:
                event = await queue.get()
                yield event
                if "statusUpdate" in event:
                    return
        finally:
            self._listeners.remove(queue)

    def snapshot(self) -> Json:
        parts = [{"text": str(number)} for number in range(1, min(self.said, NUMBERS) + 1)]
        found = {"id": self.name, "contextId": f"of-{self.name}", "status": {"state": self._state()}}
        return found | ({"artifacts": [{"artifactId": "numbers", "parts": parts}]} if parts else {})

    def _state(self) -> str:
        return "TASK_STATE_COMPLETED" if self.over else "TASK_STATE_WORKING"

    def _event(self, number: int) -> Json:
        ids = {"taskId": self.name, "contextId": f"of-{self.name}"}
        if number > NUMBERS:
            return {"statusUpdate": {**ids, "status": {"state": self._state()}}}
        artifact = {"artifactId": "numbers", "parts": [{"text": str(number)}]}
        return {"artifactUpdate": {**ids, "artifact": artifact, "append": number > 1}}


class Agent:
    def __init__(self, edge: str, folder: Path) -> None:
        self._edge = edge
        self._folder = folder
        self._http = HttpClient()
        self._tasks = {file.stem: Task(folder, file.stem) for file in folder.glob("*.task")}
        self._running = [asyncio.create_task(task.run()) for task in self._tasks.values()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await _reply(send, msgspec.json.encode(_CARD))
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        asked = msgspec.json.decode(body)
        if asked["method"] == "SendStreamingMessage":
            task = Task(self._folder, f"task-{asked['params']['message']['messageId']}")
            task.keep()
            self._tasks[task.name] = task
            bearer = next(value for name, value in scope["headers"] if name == b"authorization")
            self._running.append(asyncio.create_task(self._begun(task, bearer)))
            await _streamed(send, asked["id"], task)
        elif asked["method"] == "SubscribeToTask":
            task = self._tasks[asked["params"]["id"]]
            if task.over:
                await _answered(send, asked["id"], error={"code": -32004, "message": "it is over"})
            else:
                await _streamed(send, asked["id"], task)
        else:
            await _answered(send, asked["id"], result=self._tasks[asked["params"]["id"]].snapshot())

    async def _begun(self, task: Task, bearer: bytes) -> None:
        headers = [(b"authorization", bearer), (b"content-type", b"application/json")]
        url, body = f"{self._edge}/v1/chat/completions", msgspec.json.encode(_CHAT)
        async with await self._http.send("POST", url, headers=headers, body=body) as reply:
            await reply.read(2**20)
        await task.run()


async def _streamed(send: Send, request_id: Any, task: Task) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for event in task.events():
        data = sse.encode(msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "result": event}))
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _answered(send: Send, request_id: Any, **members: Json) -> None:
    await _reply(send, msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, **members}))


async def _reply(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def main(edge: str, folder: Path, address: str) -> int:
    stop = asyncio.Event()
    waiting = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    waiting.add_done_callback(lambda _: stop.set())
    await server.serve(Agent(edge, folder), server.bind(address), stop, grace_seconds=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(server.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
