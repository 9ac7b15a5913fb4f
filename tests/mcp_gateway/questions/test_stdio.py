"""A child process asks: nothing on its lines says whom, so only a call that is alone can be meant."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.questions.test_replicas import GIVEN, STATED
from tests.support.wait import eventually

PATH = "/servers/s/mcp"
# Asks before it answers; `wait` is answered once a file is there.
PROGRAM = """
import json, pathlib, sys, threading

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def wait(name, request):
    while not pathlib.Path(name).exists():
        threading.Event().wait(0.02)
    say(id=request, result={"content": [{"type": "text", "text": "waited"}]})

calls = {}
for line in sys.stdin:
    message = json.loads(line)
    method, params = message.get("method"), message.get("params", {})
    if method == "initialize":
        say(id=message["id"], result={"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "s", "version": str(sorted(params["capabilities"]))}})
    elif method == "tools/list":
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("ask", "wait")]
        say(id=message["id"], result={"tools": tools})
    elif method == "tools/call" and params["name"] == "ask":
        calls["q"] = message["id"]
        say(id="q", method="elicitation/create", params={"message": "who?", "requestedSchema": {}})
    elif method == "tools/call":
        pathlib.Path(sys.argv[1] + ".begun").touch()
        threading.Thread(target=wait, args=(sys.argv[1], message["id"]), daemon=True).start()
    elif method is None:
        text = json.dumps(message.get("result") or message.get("error"))
        say(id=calls.pop("q"), result={"content": [{"type": "text", "text": text}]})
    elif "id" in message:
        say(id=message["id"], error={"code": -32601, "message": "no"})
"""


def child(directory: Path) -> dict[str, Any]:
    program = directory / "child.py"
    program.write_text(PROGRAM)
    args = [str(program), str(directory / "go")]
    return {"transport": {"type": "stdio", "command": sys.executable, "args": args, "era": "session"}}


async def test_a_call_that_is_alone_is_asked(opened: Open, tmp_path: Path) -> None:
    async with opened({"s": child(tmp_path)}, list_timeout_seconds=30) as gateway:
        params = {"name": "ask", "arguments": {}, "_meta": STATED}
        result = (await gateway.ask("tools/call", params, path=PATH)).json["result"]
        [key] = result["inputRequests"]
        again = {"inputResponses": {key: GIVEN}, "requestState": result["requestState"]}
        assert "Bo" in (await gateway.ask("tools/call", params | again, path=PATH)).text
        # Who cannot be asked is not: the server hears of it.
        assert "offers nothing" in (await gateway.call("ask", path=PATH)).text


async def test_among_several_calls_nobody_is_asked(opened: Open, tmp_path: Path) -> None:
    async with opened({"s": child(tmp_path)}, list_timeout_seconds=30) as gateway:
        waiting = asyncio.create_task(gateway.call("wait", path=PATH))
        await eventually((tmp_path / "go.begun").exists, "the other call is under way")
        params = {"name": "ask", "arguments": {}, "_meta": STATED}
        heard = await gateway.ask("tools/call", params, path=PATH)
        assert "offers nothing" in heard.text
        (tmp_path / "go").touch()
        assert (await waiting).text == "waited"
