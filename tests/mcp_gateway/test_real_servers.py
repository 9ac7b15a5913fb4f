"""Servers that people really use, over stdio: `mcp-server-time` and `mcp-server-git`."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp_types import CallToolResult, TextContent

from tests.mcp_gateway.conftest import Open

_PROGRAMS = Path(sys.executable).parent


def _section(tmp_path: Path) -> dict[str, Any]:
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git here")
    repository = tmp_path / "repository"
    repository.mkdir()
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "the first one"]):
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run([git, *who, *arguments], cwd=repository, check=True)
    return {
        "time": {
            "transport": {
                "type": "stdio",
                "command": str(_PROGRAMS / "mcp-server-time"),
                "args": ["--local-timezone", "UTC"],
            }
        },
        "git": {
            "transport": {
                "type": "stdio",
                "command": str(_PROGRAMS / "mcp-server-git"),
                "args": ["--repository", str(repository)],
            }
        },
    }


def _text(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_time_and_git_work_through_both_endpoints(opened: Open, tmp_path: Path) -> None:
    servers = _section(tmp_path)
    repository = servers["git"]["transport"]["args"][1]
    async with opened(servers, list_timeout_seconds=60) as gateway:
        for mode in ("legacy", "2026-07-28"):
            async with gateway.client(mode) as client:
                names = {tool.name for tool in (await client.list_tools()).tools}
                assert {"time__get_current_time", "time__convert_time", "git__git_log"} <= names
                now = await client.call_tool("time__get_current_time", {"timezone": "UTC"})
                assert "UTC" in _text(now)
                log = await client.call_tool("git__git_log", {"repo_path": repository, "max_count": 1})
                assert "the first one" in _text(log)
            async with gateway.client(mode, "/servers/git/mcp") as client:
                status = await client.call_tool("git_status", {"repo_path": repository})
                assert "nothing to commit" in _text(status) or "working tree clean" in _text(status)
                outside = await client.call_tool("git_status", {"repo_path": "/"})
                assert outside.is_error
