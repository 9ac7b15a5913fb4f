"""Operators see what waits for them, in their own tenant, and decide on everybody's calls but their own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.policy import PolicyRules
from tests.api_gateway.office import Answer
from tests.api_gateway.ordering import Shop
from tests.api_gateway.ordering import shop as opened
from tests.support.wait import eventually

ORDER = {"item": "teapot", "password": "hunter2hunter2"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(tmp_path, wait_seconds=20) as shop:
        yield shop


async def ask(shop: Shop, who: str, method: str, path: str, body: Any = None) -> Answer:
    return await shop.office.ask(method, f"/approvals{path}", body, key=shop.keys.get(who, ""))


async def test_what_waits_is_listed_shown_and_approved_and_the_decision_is_on_record(shop: Shop) -> None:
    call, asking = await shop.parked(ORDER)
    [listed] = (await ask(shop, "user:boss", "GET", "")).body["approvals"]
    assert (listed["id"], listed["state"], listed["actors"]) == (asking.id, "pending", ["user:alice"])
    assert "hunter2" not in listed["preview"]
    shown = await ask(shop, "user:boss", "GET", f"/{asking.id}")
    assert shown.body == listed
    body = {"reason": "fine", "digest": listed["digest"]}
    made = await ask(shop, "user:boss", "POST", f"/{asking.id}/approve", body)
    assert (made.status, made.body["decided_by"], made.body["reason"]) == (200, "user:boss", "fine")
    assert (await call)[0] == 200
    store, chain = shop.office.store, made.headers["x-gatestack-chain"]
    [decision] = await eventually(lambda: store.chain(chain, "acme"), "the decision's row")
    assert decision.findings == (f"approval:{asking.id} approved",)
    assert (decision.principal, decision.resource, decision.action) == (
        "user:boss",
        "admin:approvals",
        "manage",
    )
    assert decision.detail == "fine"


async def test_whoever_calls_is_told_why_not(shop: Shop) -> None:
    call, asking = await shop.parked(ORDER)
    await ask(shop, "user:boss", "POST", f"/{asking.id}/deny", {"reason": "no teapots"})
    status, body = await call
    assert status == 403
    assert b"no teapots" in body


@pytest.mark.parametrize(
    ("who", "status"),
    [
        pytest.param("user:alice", 403, id="whose call it is"),
        pytest.param("agent:planner", 403, id="an agent, whatever policy says"),
        pytest.param("user:looker", 403, id="who may only look"),
        pytest.param("user:eve", 404, id="an operator of another tenant"),
    ],
)
async def test_who_may_not_decide_changes_nothing(shop: Shop, who: str, status: int) -> None:
    call, asking = await shop.parked(ORDER)
    for verb in ("approve", "deny"):
        assert (await ask(shop, who, "POST", f"/{asking.id}/{verb}", {})).status == status
        assert (await ask(shop, who, "POST", f"/{asking.id}/{verb}", {"dry_run": True})).status == status
    assert (await ask(shop, "user:boss", "GET", f"/{asking.id}")).body["state"] == "pending"
    # An operator of the whole stack decides in every tenant.
    assert (await ask(shop, "", "POST", f"/{asking.id}/approve", {})).status == 200
    assert (await call)[0] == 200


async def test_another_tenant_sees_nothing(shop: Shop) -> None:
    call, asking = await shop.parked(ORDER)
    assert (await ask(shop, "user:eve", "GET", "?state=all")).body["approvals"] == []
    assert (await ask(shop, "user:eve", "GET", "?tenant=acme")).status == 403
    assert (await ask(shop, "user:eve", "GET", f"/{asking.id}")).status == 404
    call.cancel()


async def test_a_dry_run_decides_nothing_and_what_was_not_looked_at_is_not_decided_on(shop: Shop) -> None:
    call, asking = await shop.parked(ORDER)
    tried = await ask(shop, "user:boss", "POST", f"/{asking.id}/approve", {"dry_run": True})
    assert (tried.body["state"], tried.body["would_be"]) == ("pending", "approved")
    wrong = await ask(shop, "user:boss", "POST", f"/{asking.id}/approve", {"digest": "0" * 64})
    assert wrong.status == 400
    assert (await ask(shop, "user:boss", "POST", f"/{asking.id}/deny", {})).status == 200
    again = await ask(shop, "user:boss", "POST", f"/{asking.id}/approve", {})
    assert (again.status, "denied already" in again.body["detail"]) == (409, True)
    assert (await call)[0] == 403


async def test_what_an_old_policy_asked_is_void(shop: Shop) -> None:
    call, asking = await shop.parked(ORDER)
    control = shop.office.control
    latest = await control.store.latest_policy()
    assert latest is not None
    rules = msgspec.json.decode(latest.rules, type=PolicyRules)
    await control.change_policy(rules, after=latest.number, by="user:operator", reason="anew")
    assert (await call)[0] == 403
    decided = await ask(shop, "user:boss", "POST", f"/{asking.id}/approve", {})
    assert decided.status == 409


async def test_the_list_is_filtered_and_paged(shop: Shop) -> None:
    calls = []
    for amount in range(3):
        call, asking = await shop.parked({"amount": amount})
        await ask(shop, "user:boss", "POST", f"/{asking.id}/deny", {})
        calls.append((call, asking.id))
    listed: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await ask(shop, "user:boss", "GET", f"?state=denied&limit=1&cursor={cursor}")).body
        listed += [one["id"] for one in page["approvals"]]
        cursor = page["next"]
    assert listed == [id for _, id in reversed(calls)]
    assert (await ask(shop, "user:boss", "GET", f"?state=all&cursor={cursor}")).body["approvals"] == []
    for query, count in (("principal=user:alice", 3), ("principal=user:x", 0), ("resource=route:shop", 3)):
        found = (await ask(shop, "user:boss", "GET", f"?state=all&{query}")).body["approvals"]
        assert len(found) == count, query
    for query in ("state=odd", "limit=0", "limit=x", "cursor=-1"):
        assert (await ask(shop, "user:boss", "GET", f"?{query}")).status == 400
    for call, _ in calls:
        await call
