"""Servers that people really use, over stdio: `mcp-server-time`, `-git` and `-fetch` from PyPI, and
`@modelcontextprotocol/server-filesystem` from npm.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import CallToolResult, TextContent
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.mcp_gateway.conftest import Open
from tests.support.serve import serving

MODES = ("legacy", "2026-07-28")
_PROGRAMS = Path(sys.executable).parent
_FILESYSTEM = (
    Path(__file__).parents[1] / "js/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
)
_NODE = shutil.which("node")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def _stdio(command: str, *args: str) -> dict[str, Any]:
    return {"transport": {"type": "stdio", "command": command, "args": list(args)}}


def _python(program: str, *args: str) -> dict[str, Any]:
    return _stdio(str(_PROGRAMS / program), *args)


def _repository(tmp_path: Path) -> str:
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git here")
    repository = tmp_path / "repository"
    repository.mkdir()
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "the first one"]):
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run([git, *who, *arguments], cwd=repository, check=True)
    return str(repository)


def _text(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


async def _news(request: Any) -> PlainTextResponse:
    return PlainTextResponse("Nothing new under the sun.")


async def test_time_git_and_fetch_work_through_both_endpoints(opened: Open, tmp_path: Path) -> None:
    repository = _repository(tmp_path)
    servers = {
        "time": _python("mcp-server-time", "--local-timezone", "UTC"),
        "git": _python("mcp-server-git", "--repository", repository),
        "fetch": _python("mcp-server-fetch", "--allow-private-ips", "--ignore-robots-txt"),
    }
    async with (
        serving(Starlette(routes=[Route("/news", _news)])) as site,
        opened(servers, list_timeout_seconds=60) as gateway,
    ):
        for mode in MODES:
            async with gateway.client(mode) as client:
                names = {tool.name for tool in (await client.list_tools()).tools}
                assert {"time__get_current_time", "git__git_log", "fetch__fetch"} <= names
                await _use_time_and_git(client, repository)
                await _use_fetch(client, site)
            async with gateway.client(mode, "/servers/git/mcp") as client:
                status = await client.call_tool("git_status", {"repo_path": repository})
                assert "nothing to commit" in _text(status) or "working tree clean" in _text(status)
                outside = await client.call_tool("git_status", {"repo_path": "/"})
                assert outside.is_error


async def _use_time_and_git(client: Client, repository: str) -> None:
    now = await client.call_tool("time__get_current_time", {"timezone": "UTC"})
    assert "UTC" in _text(now)
    log = await client.call_tool("git__git_log", {"repo_path": repository, "max_count": 1})
    assert "the first one" in _text(log)


async def _use_fetch(client: Client, site: str) -> None:
    answer = await client.call_tool("fetch__fetch", {"url": f"{site}/news"})
    assert "Nothing new under the sun." in _text(answer)
    missing = await client.call_tool("fetch__fetch", {"url": f"{site}/elsewhere"})
    assert missing.is_error
    prompt = await client.get_prompt("fetch__fetch", {"url": f"{site}/news"})
    assert isinstance(prompt.messages[0].content, TextContent)
    assert "Nothing new under the sun." in prompt.messages[0].content.text


@pytest.mark.skipif(
    _NODE is None or not _FILESYSTEM.is_file(),
    reason="the filesystem server is not installed: `make setup` does that where there is npm",
)
async def test_the_filesystem_server_keeps_to_its_folder(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    note = folder / "note.txt"
    (tmp_path / "secret.txt").write_text("not for you")
    files = _stdio(str(_NODE), str(_FILESYSTEM), str(folder))
    async with opened({"files": files}, list_timeout_seconds=60) as gateway:
        for mode in MODES:
            async with gateway.client(mode) as client:
                said = {"path": str(note), "content": f"written in {mode}"}
                assert not (await client.call_tool("files__write_file", said)).is_error
                assert note.read_text() == f"written in {mode}"
                read = await client.call_tool("files__read_text_file", {"path": str(note)})
                assert _text(read) == f"written in {mode}"
                outside = {"path": str(tmp_path / "secret.txt")}
                denied = await client.call_tool("files__read_text_file", outside)
                assert denied.is_error
                assert "not for you" not in _text(denied)
