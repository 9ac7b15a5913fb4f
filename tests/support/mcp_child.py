"""A small MCP server on standard streams, of the session era, whose tools do what child processes do to
their parents.

`python mcp_child.py [way…]`, where a way is one of: mute (never answers what it does not know), stubborn
(ends only when it is killed), noisy (writes what is no JSON), stateless (of the other era).
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any

WAYS = frozenset(sys.argv[1:])
cancelled: list[Any] = []


def main() -> None:
    if "stubborn" in WAYS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        line = sys.stdin.readline()
        if not line:
            if "stubborn" in WAYS:
                signal.pause()
            return
        take(json.loads(line))


def take(message: dict[str, Any]) -> None:
    if "noisy" in WAYS:
        out("a banner, and no JSON at all")
        sys.stderr.write("x" * 200_000)
    method = message.get("method")
    if method == "notifications/cancelled":
        cancelled.append(message["params"]["requestId"])
    elif method == "initialize" and "stateless" not in WAYS:
        info = {"name": "child", "version": "0"}
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
        say(message, result=result)
    elif method == "server/discover" and "stateless" in WAYS:
        say(
            message,
            result={
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "resultType": "complete",
            },
        )
    elif method == "tools/list":
        say(message, result={"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]})
    elif method == "tools/call":
        TOOLS[message["params"]["name"]](message)
    elif "id" in message and method is not None and "mute" not in WAYS:
        say(message, error={"code": -32601, "message": "Method not found"})


def out(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say(message: dict[str, Any], **members: Any) -> None:
    out(json.dumps({"jsonrpc": "2.0", "id": message["id"], **members}))


def text(message: dict[str, Any], value: object) -> None:
    say(message, result={"content": [{"type": "text", "text": json.dumps(value)}]})


def progress(message: dict[str, Any]) -> None:
    token = message["params"].get("_meta", {}).get("progressToken")
    if token is None:
        return
    params = {"progressToken": token, "progress": 1}
    out(json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))


def echo(message: dict[str, Any]) -> None:
    text(message, message["params"]["arguments"]["text"])


def failing(message: dict[str, Any]) -> None:
    say(message, result={"content": [{"type": "text", "text": "no"}], "isError": True})


def hang(message: dict[str, Any]) -> None:
    progress(message)


def whisper(message: dict[str, Any]) -> None:
    """Reports on the call, and answers to it in the end."""
    progress(message)
    text(message, message["params"]["arguments"]["say"])


def long(message: dict[str, Any]) -> None:
    out("y" * 3_000_000)


def child(message: dict[str, Any]) -> None:
    """Starts a process of its own that would outlive it."""
    sleeper = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    text(message, sleeper.pid)


def asks(message: dict[str, Any]) -> None:
    out(json.dumps({"jsonrpc": "2.0", "id": "q1", "method": "roots/list"}))
    text(message, json.loads(sys.stdin.readline()))


def grow(message: dict[str, Any]) -> None:
    """Has one tool more from now on, and says so."""
    TOOLS["grown"] = TOOLS["pid"]
    out(json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}))
    text(message, "grown")


def leave(message: dict[str, Any]) -> None:
    os._exit(3)


TOOLS = {
    "pid": lambda message: text(message, os.getpid()),
    "environment": lambda message: text(message, dict(os.environ)),
    "folder": lambda message: text(message, os.getcwd()),
    "cancelled": lambda message: text(message, cancelled),
    "echo": echo,
    "failing": failing,
    "hang": hang,
    "whisper": whisper,
    "long": long,
    "child": child,
    "asks": asks,
    "grow": grow,
    "leave": leave,
}

if __name__ == "__main__":
    main()
