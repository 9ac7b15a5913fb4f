"""The section of the configuration file: every problem, each with its path."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mcp_gateway.config import Http, Section, Stdio, problems
from shared.config import ConfigProblems, load

GOOD = {
    "servers": {
        "git": {
            "transport": {"type": "stdio", "command": "mcp-server-git", "args": ["--repository", "."]},
            "labels": ["reads:private"],
            "tools": {"git_commit": {"labels": ["writes"]}},
        },
        "web": {
            "transport": {
                "type": "http",
                "url": "https://example.com/mcp",
                "headers": {"authorization": "${TOKEN}"},
            }
        },
    }
}


def _load(tmp_path: Path, section: Any) -> Section:
    path = tmp_path / "gatestack.yaml"
    path.write_text(yaml.safe_dump({"mcp_gateway": section}))
    return load(path, "mcp_gateway", Section, problems, {"TOKEN": "Bearer secret"}).section


def test_both_kinds_of_servers_are_read(tmp_path: Path) -> None:
    section = _load(tmp_path, GOOD)
    git, web = section.servers["git"].transport, section.servers["web"].transport
    assert isinstance(git, Stdio)
    assert isinstance(web, Http)
    assert git.command == "mcp-server-git"
    assert web.headers["authorization"].reveal() == "Bearer secret"
    assert "Bearer secret" not in repr(section)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"servers": {"Git": GOOD["servers"]["git"]}}, "mcp_gateway.servers.Git: "),
        ({"servers": {"a__b": GOOD["servers"]["git"]}}, "mcp_gateway.servers.a__b: "),
        ({"servers": {"a": {"transport": {"type": "http", "url": "ftp://x"}}}}, "servers.a.transport.url: "),
        (
            {"servers": {"a": {"transport": {"type": "http", "url": "http://x", "headers": {"a": "b"}}}}},
            "headers.a: ",
        ),
        (
            {
                "servers": {
                    "a": {
                        "transport": {"type": "http", "url": "http://x", "headers": {"Mcp-Name": "${TOKEN}"}}
                    }
                }
            },
            "headers.Mcp-Name: ",
        ),
        ({"servers": {"a": {"transport": {"type": "stdio", "command": ""}}}}, "transport.command: "),
        ({"servers": {"a": {"transport": {"type": "stdio", "comand": "x"}}}}, "did you mean 'command'"),
        ({"servers": {"a": {"transport": {"type": "carrier-pigeon"}}}}, "mcp_gateway.servers.a.transport: "),
        ({"servers": {"a": {}}}, "mcp_gateway.servers.a.transport: missing"),
        ({"accept": []}, "mcp_gateway.accept: "),
        ({"allowed_origins": ["example.com"]}, "allowed_origins[0]: "),
        ({"bind": "nowhere"}, "mcp_gateway.bind: "),
        (
            {"limits": [{"name": "", "per": "user", "unit": "requests", "amount": 1}]},
            "mcp_gateway.limits[0].name: ",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, section: Any, problem: str) -> None:
    with pytest.raises(ConfigProblems) as found:
        _load(tmp_path, section)
    assert [text for text in found.value.problems if problem in text], found.value.problems
