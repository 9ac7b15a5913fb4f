"""`gatestack approvals`, as an operator uses it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api_gateway.ordering import Shop
from tests.api_gateway.ordering import shop as opened

HOSTILE = {"text": "\x1b[2J\u202e[red]<b>"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(tmp_path, wait_seconds=20) as shop:
        yield shop


async def test_nothing_waits(shop: Shop) -> None:
    said = await shop.office.say("approvals", "list")
    assert (said.code, said.out) == (0, "nothing waits for a person\n")
    gone = await shop.office.say("approvals", "wait", "--seconds", "0")
    assert (gone.code, "nothing within 0 s" in gone.err) == (1, True)


async def test_somebody_waits_looks_and_approves(shop: Shop) -> None:
    call, asking = await shop.parked(HOSTILE)
    say = shop.office.say
    waited = await say("approvals", "wait", "--json")
    assert (waited.code, waited.json["id"]) == (0, asking.id)
    for command in (("list",), ("show", asking.id), ("approve", asking.id, "--dry-run")):
        said = await say("approvals", *command)
        assert (said.code, asking.id in said.out) == (0, True), said
        assert said.out.replace("\n", "").isprintable()
    assert "[red]\\u003cb" in (await say("approvals", "show", asking.id)).out
    approved = await say("approvals", "approve", asking.id, "--reason", "fine")
    assert f"{asking.id} is approved" in approved.out
    assert (await call)[0] == 200
    decided = await say("approvals", "wait", asking.id, "--json")
    assert (decided.code, decided.json["state"]) == (0, "used")
    twice = await say("approvals", "approve", asking.id)
    assert (twice.code, "used already" in twice.err) == (1, True)


async def test_somebody_denies(shop: Shop) -> None:
    call, asking = await shop.parked({"item": "teapot"})
    denied = await shop.office.say("approvals", "deny", asking.id, "--reason", "no", "--json")
    assert denied.json["state"] == "denied"
    assert (await call)[0] == 403
    assert (await shop.office.say("approvals", "wait", asking.id)).code == 1
    assert "by user:operator: no" in (await shop.office.say("approvals", "show", asking.id)).out
