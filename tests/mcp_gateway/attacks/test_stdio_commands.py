"""Programs that should not be started, and arguments that want to be more than arguments."""

import json
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from mcp_gateway.config import Section, ServerRule, Stdio, problems
from shared.config.build import Secret
from tests.mcp_gateway.conftest import Open
from tests.support import mcp_child

PROGRAM = str(Path(mcp_child.__file__))
PATH = "/servers/c/mcp"
WORDS = [
    "; touch gotcha",
    "$(touch gotcha)",
    "`touch gotcha`",
    "| sh",
    "&& touch gotcha",
    "--",
    "-c",
    "*",
    "\n",
]


def section(*words: str, **more: Any) -> dict[str, Any]:
    return {
        "c": {"transport": {"type": "stdio", "command": sys.executable, "args": [PROGRAM, *words], **more}}
    }


async def test_words_of_a_command_are_words_to_its_program_and_nothing_to_a_shell(
    opened: Open, tmp_path: Path
) -> None:
    async with opened(section(*WORDS, cwd=str(tmp_path))) as gateway:
        pid = int(json.loads((await gateway.call("pid", path=PATH)).text))
        assert psutil.Process(pid).cmdline()[1:] == [PROGRAM, *WORDS]
    assert not (tmp_path / "gotcha").exists()


@pytest.mark.parametrize(
    "value",
    [
        "a\nb",
        'x"}\n{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
        "\r\n",
        "\u2028",
        "$(id)",
        "\x00",
        *WORDS,
    ],
)
async def test_arguments_of_a_call_stay_in_their_line(opened: Open, value: str) -> None:
    async with opened(section()) as gateway:
        heard = await gateway.call("whisper", {"say": value}, path=PATH)
        assert json.loads(heard.text) == value
        assert json.loads((await gateway.call("cancelled", path=PATH)).text) == []


@pytest.mark.parametrize(
    ("transport", "fits"),
    [
        (Stdio(command="mcp-server-git"), True),
        (Stdio(command="/opt/tools/serve", args=["-c", "x"]), True),
        (Stdio(command="serve"), False),
        (Stdio(command="/tmp/../opt/tools/serve"), False),
        (Stdio(command="./mcp-server-git"), False),
        (Stdio(command="mcp-server-git "), False),
        (Stdio(command="mcp-server-git", env={"PATH": "/tmp"}), False),
        (Stdio(command="mcp-server-git", secret_env={"PATH": Secret("/tmp")}), False),
    ],
)
def test_only_listed_programs_are_started_where_any_are_listed(transport: Stdio, fits: bool) -> None:
    servers = {"c": ServerRule(transport=transport)}
    commands = ["mcp-server-git", "/opt/tools/serve"]
    assert (problems(Section(servers=servers, stdio_commands=commands)) == []) is fits
    assert problems(Section(servers=servers)) == []
