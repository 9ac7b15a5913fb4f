"""Chains through all four services: the tree is true, rights never grow, loops end."""

import json
from typing import Any

import pytest

from tests.stack.conftest import World
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]

RESEARCH = {
    "agent": "researcher",
    "text": [{"model": "fast"}, {"tool": "tools__add", "arguments": {"a": 1, "b": 2}}],
}
ECHO = {"tool": "tools__echo", "arguments": {"text": "hi"}}


async def test_one_question_becomes_one_tree_over_all_four_services(world: World) -> None:
    key = await world.key()
    [model, tool, research], chain = await world.steps(key, "planner", {"model": "fast"}, ECHO, RESEARCH)
    assert model == {"ok": "hello"}
    assert tool == {"ok": "tools: hi"}
    assert json.loads(research["ok"])[0] == {"ok": "hello"}
    rows = await world.stack.entries(chain, 12)
    assert {row["service"] for row in rows} == {"api_gateway", "llm_gateway", "mcp_gateway", "agent_gateway"}
    by_id = {row["id"]: row for row in rows}
    assert [row["id"] for row in rows if row["parent"] not in by_id] == [rows[0]["id"]]
    [researcher] = [
        row for row in rows if row["resource"] == "agent:researcher" and row["action"] == "invoke"
    ]
    assert researcher["actors"] == ["user:alice", "agent:planner"]
    [deep] = [row for row in rows if row["resource"] == "tool:tools/add" and row["action"] == "invoke"]
    assert deep["actors"] == ["user:alice", "agent:planner", "agent:researcher"]
    assert "agent:researcher" in lineage(deep, by_id)
    models = [row for row in rows if row["service"] == "llm_gateway"]
    # 20 tokens in and 8 out, at one and two dollars a million.
    assert [row["cost_micros"] for row in models] == [36, 36]


def lineage(row: dict[str, Any], by_id: dict[str, Any]) -> list[str]:
    """The resources above a row, nearest first."""
    found = []
    while row["parent"] in by_id:
        row = by_id[row["parent"]]
        found.append(row["resource"])
    return found


async def test_the_spans_give_the_same_tree_as_the_ledger(world: World) -> None:
    key = await world.key()
    _, chain = await world.steps(key, "planner", {"model": "fast"}, ECHO, RESEARCH)
    rows = await world.stack.entries(chain, 12)
    file = world.stack.directory / "spans.jsonl"

    def spans() -> dict[str, Any]:
        # What follows the last line end is still being written.
        lines = (json.loads(line) for line in file.read_text().split("\n")[:-1] if line)
        found = {s["context"]["span_id"]: s for s in lines if s["attributes"].get("gatestack.chain") == chain}
        return found if len(found) >= len(rows) else {}

    exported = await eventually(spans, "all spans of the chain")
    entry_of = {span: value["attributes"]["gatestack.entry"] for span, value in exported.items()}
    from_spans = {
        entry_of[span]: entry_of.get(value["parent_id"] or "", "") for span, value in exported.items()
    }
    assert from_spans == {row["id"]: row["parent"] for row in rows}
    assert len({value["context"]["trace_id"] for value in exported.values()}) == 1


async def test_an_agent_reaches_nothing_through_another_that_it_may_not(world: World) -> None:
    """`outsider` may not add, `researcher` may: asking it to does not help."""
    [answer], chain = await world.steps(await world.key(), "outsider", RESEARCH)
    model, tool = json.loads(answer["ok"])
    assert model == {"ok": "hello"}
    assert "error" in tool
    rows = await world.stack.entries(chain, 8)
    [refused] = [row for row in rows if row["resource"] == "tool:tools/add"]
    assert (refused["outcome"], refused["decision"]) == ("refused", "deny")


async def test_a_user_reaches_nothing_through_an_agent_that_the_user_may_not(world: World) -> None:
    """Bob may not add; researcher may."""
    [direct], _ = await world.steps(await world.key("user:bob"), "researcher", RESEARCH["text"][1])
    assert "error" in direct


async def test_an_agent_that_is_already_in_the_chain_is_refused(world: World) -> None:
    back = {"agent": "researcher", "text": [{"agent": "planner", "text": [{"model": "fast"}]}]}
    [answer], chain = await world.steps(await world.key(), "planner", back)
    [refused] = json.loads(answer["ok"])
    assert "already part of this chain" in refused["error"]
    rows = await world.stack.entries(chain, 6)
    assert any(row["reason"] == "delegation" for row in rows)


async def test_a_chain_is_no_deeper_than_the_cap(world: World) -> None:
    steps: list[Any] = [{"model": "fast"}]
    for name in ("a6", "a5", "a4", "a3", "a2"):
        steps = [{"agent": name, "text": steps}]
    answer, _ = await world.steps(await world.key(), "a1", *steps)
    for _ in range(4):
        answer = json.loads(answer[0]["ok"])
    assert "deep" in answer[0]["error"]


async def test_a_chain_stops_at_the_budget_of_its_key(world: World) -> None:
    key = await world.key(budget={"model_calls": 3})
    answers, chain = await world.steps(
        key, "planner", *[{"model": "fast"}] * 3, {"agent": "researcher", "text": [{"model": "fast"}]}
    )
    assert ["ok" in answer for answer in answers[:3]] == [True, True, True]
    [beyond] = json.loads(answers[3]["ok"])
    assert "budget" in beyond["error"]
    assert "model_calls" in beyond["error"].replace(" ", "_")
    rows = await world.stack.entries(chain, 10)
    assert any(row["reason"] == "budget" for row in rows)
