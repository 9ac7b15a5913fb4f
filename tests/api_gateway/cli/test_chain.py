"""A chain is drawn with every call below its true parent, and what has lost its parent stands at the top."""

from typing import Any

from api_gateway.cli.chain import drawn


def entry(identity: str, parent: str, started: int, resource: str, cost: int = 0) -> dict[str, Any]:
    return {
        "id": identity,
        "chain": "c1",
        "parent": parent,
        "hop": 0,
        "started_at": started,
        "service": "llm_gateway",
        "actors": ["user:alice"],
        "action": "invoke",
        "resource": resource,
        "decision": "allow",
        "rule": "r1",
        "outcome": "completed",
        "reason": "",
        "duration_us": 1500,
        "cost_micros": cost,
        "provider": "local",
        "tokens_in": 3 if cost else 0,
        "tokens_out": 4 if cost else 0,
    }


def test_the_tree_shows_parents_costs_and_totals() -> None:
    lines = drawn(
        [
            entry("b", "a", 2, "agent:p"),
            entry("a", "", 1, "route:x"),
            entry("c", "b", 3, "model:m", 1500),
            entry("d", "lost", 9, "tool:t"),
        ]
    )
    assert lines[0] == "chain c1: 4 entries, 7 tokens, $0.0015"
    assert [line[: line.index("llm")] for line in lines[1:]] == ["├─ ", "│  └─ ", "│     └─ ", "└─ "]
    assert "3+4 tokens $0.0015" in lines[3]
