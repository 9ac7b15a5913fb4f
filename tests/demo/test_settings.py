"""The demo's settings: which provider answers, which ports are taken, and a configuration without a hole
in it.
"""

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent_gateway.app import SERVICE as AGENTS
from demo.settings import CONFIG, Settings, settings
from llm_gateway.app import SERVICE as MODELS
from mcp_gateway.app import SERVICE as TOOLS
from shared.config import load
from shared.run import Service


def _settings(tmp_path: Path, **environ: str) -> Settings:
    return settings({"DEMO_STATE": str(tmp_path / "state"), "PATH": "/usr/bin:/bin", **environ})


def test_the_configuration_is_whole_once_every_address_is_known(tmp_path: Path) -> None:
    chosen = _settings(tmp_path).with_addresses(
        model="http://127.0.0.1:1", planner="http://127.0.0.1:2/", researcher="http://127.0.0.1:3/"
    )
    services: tuple[Service[Any], ...] = (AGENTS, MODELS, TOOLS)
    for service in services:
        load(CONFIG, service.name, service.section, service.problems, chosen.environ)


@pytest.mark.parametrize(
    ("key", "provider"),
    [("OPENAI_API_KEY", "openai"), ("ANTHROPIC_API_KEY", "anthropic"), ("GEMINI_API_KEY", "gemini")],
)
def test_a_providers_key_in_the_environment_makes_it_the_first_to_answer(
    tmp_path: Path, key: str, provider: str
) -> None:
    chosen = _settings(tmp_path, **{key: "secret"})
    assert chosen.provider == chosen.environ["DEMO_PROVIDER"] == provider
    assert _settings(tmp_path).environ["DEMO_PROVIDER"] == "local"
    assert _settings(tmp_path, **{key: "s", "DEMO_MODEL": "mine"}).environ["DEMO_MODEL"] == "mine"


def test_a_port_that_is_taken_is_gone_round(tmp_path: Path) -> None:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", 8083))
        except OSError:
            pytest.skip("somebody else holds the port that this test wants to hold")
        one.listen()
        chosen = _settings(tmp_path)
        assert chosen.environ["DEMO_AGENT_PORT"] != "8083"
        assert chosen.environ["DEMO_AGENT_URL"].endswith(chosen.environ["DEMO_AGENT_PORT"])


def test_there_is_always_a_history_to_read(tmp_path: Path) -> None:
    chosen = _settings(tmp_path)
    command = ["git", "-c", "safe.directory=*", "-C", str(chosen.repository), "log", "-1", "--format=%s"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
