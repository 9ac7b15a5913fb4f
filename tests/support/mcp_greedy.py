"""A small MCP server on standard streams whose tools take what they can get, and say what came of it."""

import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

kept: list[Any] = []


def take(megabytes: int) -> str:
    kept.append(bytearray(megabytes * 2**20))
    kept.clear()
    return "fine"


def open_files(files: int) -> str:
    try:
        for _ in range(files):
            kept.append(os.open(os.devnull, os.O_RDONLY))
        return "fine"
    finally:
        for number in kept:
            os.close(number)
        kept.clear()


def fork(processes: int) -> str:
    try:
        for _ in range(processes):
            pid = os.fork()
            if not pid:
                os.read(0, 1)
                os._exit(0)
            kept.append(pid)
        return "fine"
    finally:
        for pid in kept:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        kept.clear()


def burn() -> str:
    while True:
        pass


def become_root() -> str:
    os.setuid(0)
    return "fine"


def who() -> str:
    status = Path("/proc/self/status").read_text()
    [privileges] = [line.split()[1] for line in status.splitlines() if line.startswith("NoNewPrivs")]
    return f"{os.getuid()} {os.getgid()} {os.getgroups()} {privileges}"


def around() -> str:
    """Which network interfaces there are, and what of the tests lies in /tmp."""
    names = [name for _, name in socket.if_nameindex()]
    return f"{names} {[path.name for path in Path('/tmp').iterdir()]}"


def files() -> str:
    found = set(os.listdir("/proc/self/fd"))
    return str(sorted(name for name in found if Path(f"/proc/self/fd/{name}").exists()))


TOOLS: dict[str, Any] = {
    "take": take,
    "open": open_files,
    "fork": fork,
    "burn": burn,
    "become_root": become_root,
    "who": who,
    "around": around,
    "files": files,
    "pid": lambda: str(os.getpid()),
    "core": lambda: str(resource.getrlimit(resource.RLIMIT_CORE)[0]),
}


def answer(message: dict[str, Any]) -> dict[str, Any]:
    method = message["method"]
    if method == "initialize":
        info = {"name": "greedy", "version": "0"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    try:
        text = TOOLS[message["params"]["name"]](**message["params"].get("arguments", {}))
    except (MemoryError, OSError) as error:
        text = type(error).__name__
    return {"content": [{"type": "text", "text": text}]}


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] == "server/discover":
            reply["error"] = {"code": -32601, "message": "Method not found"}
        else:
            reply["result"] = answer(message)
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
