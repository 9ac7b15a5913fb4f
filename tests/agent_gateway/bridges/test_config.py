"""What makes no sense about a bridge is said before anything starts."""

from typing import Any

import msgspec
import pytest

from agent_gateway.config import Section, problems

MCP: dict[str, Any] = {"kind": "mcp", "server": "files"}
CHAT: dict[str, Any] = {"kind": "chat", "model": "m"}


def told(entry: dict[str, Any], **others: Any) -> list[str]:
    return problems(msgspec.convert({"agents": {"one": entry, **others}}, Section, strict=False))


@pytest.mark.parametrize("bridge", [MCP, CHAT, CHAT | {"url": "https://api.example/v1"}])
def test_a_bridge_needs_nothing_else(bridge: dict[str, Any]) -> None:
    assert told({"bridge": bridge}) == []


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"bridge": MCP, "url": "http://a/"}, ".bridge: stands in the place of url"),
        ({"bridge": CHAT, "card_url": "http://a/"}, ".bridge: stands in the place of url"),
        ({"bridge": MCP, "credential": "none"}, ".credential: what goes back through the edge"),
        ({"bridge": CHAT, "credential": "none"}, ".credential: what goes back through the edge"),
        ({"bridge": CHAT | {"url": "ftp://a"}}, ".bridge.url: 'ftp://a'"),
        ({"bridge": CHAT, "trust": {"pin": "first_use"}}, ".trust: the card of a bridge"),
    ],
)
def test_what_makes_no_sense_is_named(entry: dict[str, Any], problem: str) -> None:
    assert any(f"agents.one{problem}" in each for each in told(entry))


def test_tools_stand_in_for_nobody() -> None:
    """They would be called as skills that nobody has been asked about."""
    entry = {"url": "http://a/", "fallback": "two"}
    assert any("stands in for nobody" in each for each in told(entry, two={"bridge": MCP}))
    assert told(entry, two={"bridge": CHAT}) == []
