"""Every notification has one entry that says what became of it, below the entry of its arrival."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_gateway.push.outbox import _DUE, Letter, Outbox
from agent_gateway.push.record import Record
from agent_gateway.push.webhooks import Webhook
from api_gateway.chain_flags import flags
from shared.asgi import Send
from shared.clock import Clock
from shared.ledger.entry import Outcome
from shared.ledger.row import Row
from tests.agent_gateway.gateway import Gateway, gateway, message
from tests.agent_gateway.push.hook import ALLOW, config, letter, states, webhook
from tests.support.agents import Heard, RunningAgent, Versatile, agent, scripted
from tests.support.serve import someone
from tests.support.wait import eventually


async def _asked(gate: Gateway, hook: RunningAgent) -> str:
    configuration = {"returnImmediately": True, "taskPushNotificationConfig": config(hook.url)}
    answer = await gate.call("writer", "SendMessage", message("wait") | {"configuration": configuration})
    return str(answer.json["result"]["task"]["id"])


async def _deliveries(gate: Gateway, fits: Callable[[list[Row]], object] = bool) -> list[Row]:
    async def found() -> list[Row]:
        rows = [row for row in await gate.service.rows(1) if row.action == "deliver"]
        return rows if fits(rows) else []

    return await eventually(found, "the entries of deliveries")


async def test_a_delivery_is_an_entry_below_the_notification_in_its_tasks_chain(tmp_path: Path) -> None:
    executor = Versatile()
    async with (
        webhook() as hook,
        agent(executor) as writer,
        gateway(tmp_path, writer=writer, section=ALLOW) as gate,
    ):
        task = await _asked(gate, hook)
        executor.end.set()
        await eventually(lambda: states(hook)[-1:] == ["COMPLETED"], "the last notification")
        made = await _deliveries(gate, lambda rows: len(rows) == len(hook.heard))
        every = await eventually(lambda: _whole(gate, made), "the entries above them")
        sent = next(row for row in every.values() if row.method == "SendMessage")
        for row in made:
            brought = every[row.parent]
            assert (brought.action, brought.parent, brought.hop) == ("push", sent.id, row.hop - 1)
            assert (row.outcome, row.status, row.attempts) == (Outcome.COMPLETED, 200, 1)
            assert (row.chain, row.principal, row.resource) == (sent.chain, "user:alice", "agent:writer")
            assert (row.task, row.trace_id, row.service) == (task, brought.trace_id, "agent_gateway")
        assert len({row.parent for row in made}) == len(made)
        assert {row.request_id for row in made} == {one.headers["x-gatestack-delivery"] for one in hook.heard}
        assert [flag for flag in flags(list(every.values())) if flag.kind != "orphan"] == []
        # A client's webhook is no call of the agent: it does not stand in what alerts are made of.
        await eventually(lambda: _counted(gate) == len(every) - len(made), "as many calls as there were")


async def _whole(gate: Gateway, made: list[Row]) -> dict[str, Row]:
    """Every entry by its id, once those that `made` hang below are among them."""
    every = {row.id: row for row in await gate.service.rows(1)}
    return every if all(row.parent in every for row in made) else {}


def _counted(gate: Gateway) -> int:
    lines = re.findall(rb"^gatestack_calls_total{.*} (\d+)", gate.parts.telemetry.metrics(), re.M)
    return sum(map(int, lines))


async def test_however_often_it_is_tried_a_notification_has_one_entry(tmp_path: Path) -> None:
    async with (
        webhook(lambda count: 503 if count < 4 else 200) as hook,
        agent(Versatile()) as writer,
        gateway(tmp_path, writer=writer, section=ALLOW) as gate,
    ):
        await _asked(gate, hook)
        [first, *_] = await _deliveries(gate)
        assert (first.outcome, first.attempts, first.status) == (Outcome.COMPLETED, 4, 200)
        assert [one.headers["x-gatestack-delivery"] for one in hook.heard[:4]] == [first.request_id] * 4


@pytest.mark.parametrize(
    ("status", "attempts", "tried"), [(503, 3, 3), (404, 3, 1), (302, 3, 1)], ids=["away", "unknown", "moved"]
)
async def test_what_is_given_up_says_why(tmp_path: Path, status: int, attempts: int, tried: int) -> None:
    section: dict[str, Any] = {"push": {**ALLOW["push"], "attempts": attempts}}
    async with (
        webhook(lambda _: status) as hook,
        agent(Versatile()) as writer,
        gateway(tmp_path, writer=writer, section=section) as gate,
    ):
        await _asked(gate, hook)
        [row, *_] = await _deliveries(gate)
        assert (row.outcome, row.reason, row.status) == (Outcome.FAILED, "upstream_refused", status)
        assert (row.attempts, row.detail) == (tried, f"the webhook answered HTTP {status}")


async def test_a_webhook_that_wants_no_more_has_one_entry_for_all_that_waited(tmp_path: Path) -> None:
    async with webhook(lambda _: 410) as hook, agent(Versatile()) as writer, _gate(tmp_path, writer) as gate:
        outbox = await _waiting(gate, hook.url, 5)
        [row] = await _deliveries(gate)
        assert (row.outcome, row.status, row.times) == (Outcome.FAILED, 410, 5)
        assert "4 more" in row.detail

        async def dropped() -> bool:
            return await outbox.waiting("h1") == 0

        await eventually(dropped, "the others are dropped")
        assert len(hook.heard) == 1


async def test_what_may_not_be_delivered_is_an_entry_too(tmp_path: Path) -> None:
    async with agent(Versatile()) as writer, _gate(tmp_path, writer) as gate:
        await _waiting(gate, "http://10.0.0.1/", 1)
        [row] = await _deliveries(gate)
        assert (row.outcome, row.reason, row.status) == (Outcome.REFUSED, "forbidden", 0)
        await gate.edge.kill(gate.parts, user="user:alice")
        await _waiting(gate, "http://127.0.0.1:1/", 1)
        [_, row] = await _deliveries(gate, lambda rows: len(rows) == 2)
        assert (row.outcome, row.reason) == (Outcome.KILLED, "killed")


async def test_a_kill_cuts_the_delivery_that_is_under_way(tmp_path: Path) -> None:
    async def deaf(_: Heard, send: Send) -> None:
        await asyncio.Event().wait()

    async with scripted(deaf) as hook, agent(Versatile()) as writer, _gate(tmp_path, writer) as gate:
        outbox = await _waiting(gate, hook.url, 2)
        await eventually(lambda: hook.heard, "the first is under way")
        await gate.edge.kill(gate.parts, user="user:alice")
        rows = await _deliveries(gate, lambda rows: len(rows) == 2)
        assert [(row.outcome, row.reason) for row in rows] == [(Outcome.KILLED, "killed")] * 2

        async def dropped() -> bool:
            return await outbox.waiting("h1") == 0

        await eventually(dropped, "nothing waits any more")
        assert len(hook.heard) == 1


async def test_the_secrets_of_a_webhook_are_not_in_the_ledger(tmp_path: Path) -> None:
    section: dict[str, Any] = {"push": {**ALLOW["push"], "attempts": 1}}
    async with agent(Versatile()) as writer, gateway(tmp_path, writer=writer, section=section) as gate:
        await _waiting(gate, "http://127.0.0.1:1/path-secret?key=query-secret", 1)
        [row] = await _deliveries(gate)
        assert (row.outcome, row.reason) == (Outcome.FAILED, "upstream_unreachable")
        assert "secret" not in repr(row)


async def test_a_letter_of_an_earlier_release_hangs_below_the_call_that_registered_it(tmp_path: Path) -> None:
    async with agent(Versatile()) as writer, gateway(tmp_path, writer=writer) as gate:
        record = Record(gate.parts.ledger, gate.parts.telemetry, Clock())
        entry = record.opened(_webhook("http://203.0.113.9/"), letter("{}"))
        assert entry.caller is not None
        assert (entry.caller.parent, entry.caller.hop) == ("p1", 3)
        entry = record.opened(_webhook("x"), Letter(id="l", body="", kind="", parent="p2"))
        assert entry.caller is not None
        assert (entry.caller.parent, entry.caller.hop) == ("p2", 4)


def _gate(directory: Path, writer: RunningAgent) -> Any:
    return gateway(directory, writer=writer, section=ALLOW)


async def _waiting(gate: Gateway, url: str, count: int) -> Outbox:
    """So many notifications wait for the webhook `h1`, which is called once all of them do."""
    push, redis = gate.service.app.state.push, gate.parts.redis
    outbox: Outbox = push.outbox
    hook = _webhook(url)
    await redis.execute("ZADD", _DUE, 2**50, hook.id)
    for _ in range(count):
        await outbox.put(hook, letter("{}"), once=False)
    await push.webhooks.add(hook)
    await redis.execute("ZADD", _DUE, 0, hook.id)
    push.deliver.news.set()
    return outbox


def _webhook(url: str) -> Webhook:
    caller = someone(parent="p1", hop=3)
    return Webhook(
        id="h1", name="n", agent="writer", caller=caller, wire="JSONRPC/1.0", url=url, secret="x", task="t"
    )
