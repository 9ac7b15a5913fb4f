"""Reports about what a running stack really did: chains, money, and a draft of the policy tried on them."""

from typing import Any

import pytest
import pytest_asyncio

from tests.stack.conftest import World
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]


@pytest_asyncio.fixture(loop_scope="session")
async def world(world: World) -> World:
    key = world.stack.directory / "state" / "operator.key"
    await eventually(key.exists, "the operator's key")
    return world


async def admin(world: World, method: str, path: str, body: Any = None) -> Any:
    answer = await world.stack.admin(method, path, body)
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_chain_is_listed_with_what_its_entries_add_up_to(world: World) -> None:
    key = await world.key("user:alice", team="reports")
    _, chain = await world.steps(key, "planner", {"model": "fast"}, {"model": "fast"})
    entries = await world.stack.entries(chain, 5)
    found = await admin(world, "GET", "/chains?team=reports&agent=agent:planner&since=1h")
    [line] = [line for line in found["chains"] if line["chain"] == chain]
    assert line["calls"] >= len(entries) - 1
    told = await admin(world, "GET", f"/chains/{chain}")
    assert line["cost_micros"] == sum(entry["cost_micros"] for entry in told["entries"]) > 0
    spent = await admin(world, "GET", "/spend?by=team,model&team=reports&since=1h")
    models = [one for one in spent["lines"] if one["group"]["model"]]
    assert [(one["calls"], one["cost_micros"]) for one in models] == [(2, line["cost_micros"])]
    records = await admin(world, "GET", "/spend?shape=focus&team=reports&since=1h")
    assert sum(record["BilledCost"] for record in records["records"]) * 1_000_000 == line["cost_micros"]


async def test_the_policy_in_force_changes_nothing_about_what_it_has_decided(world: World) -> None:
    key = await world.key("user:bob", team="drafts")
    steps: tuple[dict[str, Any], ...] = (
        {"model": "fast"},
        {"tool": "tools/echo", "arguments": {"text": "x"}},
    )
    _, chain = await world.steps(key, "planner", *steps)
    await world.stack.entries(chain, 5)
    policy = (await admin(world, "GET", "/policy"))["policy"]
    same = await admin(world, "POST", "/policy/simulate", {"policy": policy, "since": "1h"})
    assert (same["changed"], same["calls"] > 0) == (0, True)
    policy["rules"] = [rule for rule in policy["rules"] if rule["id"] != "models"]
    draft = await admin(world, "POST", "/policy/simulate", {"policy": policy, "since": "1h"})
    refused = [shift for shift in draft["shifts"] if shift["resource"] == "model:fast"]
    assert {(shift["change"], shift["before"]) for shift in refused} == {("refused", "models")}
    who = await admin(world, "POST", "/policy/who-can", {"resource": "tool:tools/add", "tenant": "acme"})
    assert {"user:alice", "agent:researcher"} <= {row["name"] for row in who["who"]}
    assert "user:bob" not in {row["name"] for row in who["who"]}
