"""Servers as child processes: what they see, how they fail, and that nothing of them is left behind."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mcp_gateway.upstreams import stdio
from shared.http_client import Reply
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Heard, stateless
from tests.support import mcp_child
from tests.support.serve import Edge
from tests.support.service_process import service_process
from tests.support.wait import SECONDS, eventually

PROGRAM = str(Path(mcp_child.__file__))
PATH = "/servers/c/mcp"
START_SECONDS = 25


def section(*ways: str, **transport: Any) -> dict[str, Any]:
    return {
        "c": {
            "transport": {"type": "stdio", "command": sys.executable, "args": [PROGRAM, *ways], **transport}
        }
    }


async def said(gateway: Gateway, tool: str, **arguments: Any) -> Any:
    heard = await gateway.call(tool, arguments, path=PATH)
    assert "result" in heard.json, heard.body
    return json.loads(heard.text)


async def hanging(gateway: Gateway, token: str = "p") -> tuple[Reply, AsyncIterator[bytes]]:
    """A call that the child has begun to work on and will not answer."""
    params = {"name": "hang", "arguments": {}, "_meta": {"progressToken": token}}
    body, headers = stateless("tools/call", params)
    reply = await gateway.open(body, headers=headers, path=PATH)
    stream = reply.chunks()
    assert b"notifications/progress" in await anext(stream)
    return reply, stream


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def test_a_child_sees_only_the_environment_that_it_is_given(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAYS_OWN_SECRET", "x")
    own = section(env={"PLAIN": "1"}, secret_env={"TOKEN": "${TOKEN}"}, inherit=["PATH"])
    async with opened(own, environ={"TOKEN": "t0"}) as gateway:
        found = await said(gateway, "environment")
    assert {"PLAIN": "1", "TOKEN": "t0", "PATH": os.environ["PATH"]}.items() <= found.items()
    assert set(found) <= {"PLAIN", "TOKEN", "PATH", "LC_CTYPE"}


async def test_it_runs_where_it_is_told_to(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    async with opened(section(cwd=str(tmp_path / "work"))) as gateway:
        assert await said(gateway, "folder") == str(tmp_path / "work")


async def test_a_child_that_is_killed_in_a_call_fails_it_at_once_and_is_started_again(opened: Open) -> None:
    async with opened(section()) as gateway:
        pid = await said(gateway, "pid")
        calls = [await hanging(gateway, token) for token in ("p", "q")]
        os.kill(pid, signal.SIGKILL)
        for reply, stream in calls:
            async with reply, asyncio.timeout(SECONDS):
                rest = b"".join([chunk async for chunk in stream])
            assert b"ended (signal 9) during this call" in rest
        assert await said(gateway, "pid") != pid


async def test_a_child_that_ends_itself_says_how(opened: Open) -> None:
    async with opened(section()) as gateway:
        heard = await gateway.call("leave", path=PATH)
        assert (heard.error["code"], "exit code 3" in heard.error["message"]) == (-32014, True)


async def test_a_child_that_keeps_ending_is_left_alone_for_a_while(opened: Open) -> None:
    async with opened(section() | {"d": {"transport": {"type": "stdio", "command": "false"}}}) as gateway:

        async def left_alone() -> bool:
            heard = await gateway.call("x", path="/servers/d/mcp")
            assert heard.error["code"] == -32014
            return "keeps ending" in heard.error["message"] and int(heard.headers["retry-after"]) > 0

        await eventually(left_alone)
        assert await said(gateway, "whisper", say="hello") == "hello"


@pytest.mark.parametrize(
    ("transport", "text"),
    [
        ({"command": "no-such-program-anywhere"}, "its program is not there"),
        ({"command": "./nothing"}, "its program is not there"),
        ({"cwd": "no/such/folder"}, "its working directory is not there"),
    ],
)
async def test_a_child_that_cannot_start_says_why(opened: Open, transport: dict[str, str], text: str) -> None:
    async with opened(section(**transport)) as gateway:
        heard = await gateway.call("pid", path=PATH)
        assert (heard.error["code"], text in heard.error["message"]) == (-32014, True), heard.body


async def test_what_is_no_json_is_passed_over(opened: Open) -> None:
    async with opened(section("noisy")) as gateway:
        assert [await said(gateway, "whisper", say=n) for n in range(5)] == [0, 1, 2, 3, 4]


async def test_a_line_without_end_ends_the_child_and_only_it(opened: Open) -> None:
    async with opened(section(), max_result_bytes=1_000_000) as gateway:
        pid = await said(gateway, "pid")
        heard = await gateway.call("long", path=PATH)
        assert "too much at once" in heard.error["message"]
        assert await said(gateway, "pid") != pid
        assert gone(pid)


async def test_a_child_that_asks_its_client_is_answered(opened: Open) -> None:
    async with opened(section()) as gateway:
        answer = await said(gateway, "asks")
        assert (answer["id"], answer["error"]["code"]) == ("q1", -32601)


async def test_two_callers_with_one_progress_token_each_hear_their_own(opened: Open) -> None:
    async with opened(section()) as gateway:

        async def whisper(word: str) -> Heard:
            params = {"name": "whisper", "arguments": {"say": word}, "_meta": {"progressToken": "same"}}
            return await gateway.ask("tools/call", params, path=PATH)

        for word, heard in zip("ab", await asyncio.gather(whisper("a"), whisper("b")), strict=True):
            note, answer = heard.events
            assert note["params"]["progressToken"] == "same"
            assert json.loads(answer["result"]["content"][0]["text"]) == word


async def test_a_client_that_leaves_is_reported_to_the_child(opened: Open) -> None:
    async with opened(section()) as gateway:
        reply, _ = await hanging(gateway)
        await reply.close()
        await eventually(lambda: said(gateway, "cancelled"), "the child was told")


async def test_a_child_that_says_its_lists_have_changed_is_asked_again(opened: Open) -> None:
    async with opened(section()) as gateway:
        assert "grown" not in await gateway.tools(path=PATH)
        assert await said(gateway, "grow") == "grown"

        async def shown() -> bool:
            return "grown" in await gateway.tools(path=PATH)

        await eventually(shown)


@pytest.mark.parametrize("ways", [(), ("stateless",)])
async def test_a_child_of_either_era_is_started_once(opened: Open, ways: tuple[str, ...]) -> None:
    async with opened(section(*ways)) as gateway:
        assert await said(gateway, "whisper", say="x") == "x"
        assert await said(gateway, "pid") == await said(gateway, "pid")
        assert await said(gateway, "cancelled") == []


async def test_a_child_that_never_answers_what_it_does_not_know_is_asked_otherwise(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "_PROBE_SECONDS", 0.3)
    async with opened(section("mute")) as gateway:
        assert await said(gateway, "whisper", say="x") == "x"


@pytest.mark.parametrize("ways", [(), ("stubborn",)])
async def test_nothing_is_left_when_the_gateway_stops(
    opened: Open, ways: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_gateway.upstreams.child._PATIENCE_SECONDS", 0.2)
    async with opened(section(*ways)) as gateway:
        pids = [await said(gateway, "pid"), await said(gateway, "child")]
        assert not any(map(gone, pids))
    await eventually(lambda: all(map(gone, pids)), "both are gone")


@pytest.mark.slow
async def test_nothing_is_left_when_the_gateway_is_killed(
    tmp_path: Path, valkey: EmbeddedValkey, redis: Redis
) -> None:
    edge = Edge(tmp_path)
    config = {
        "state": {"dir": str(tmp_path / "state"), "redis": valkey.url},
        "identity": {"keys_dir": str(tmp_path / "keys"), "trust": {"api_gateway": str(edge.jwks)}},
        "mcp_gateway": {"servers": section("stubborn")},
    }
    async with service_process("mcp_gateway", tmp_path, config) as gateway:
        own = psutil.Process(gateway.process.pid)
        children = await eventually(own.children, "the child was started")
        gateway.process.kill()
        await gateway.process.wait()
    await eventually(lambda: all(gone(child.pid) for child in children), "the child is gone")
