"""Other people's tasks, contexts and tenants, asked for in every way there is to spell them."""

import base64
from pathlib import Path
from typing import Any

import pytest

from agent_gateway.call import Names
from agent_gateway.push.webhooks import Webhook, Webhooks
from agent_gateway.replicas import _key
from agent_gateway.seen import Seen
from agent_gateway.tasks import Tasks
from shared.clock import Clock
from shared.errors import NotFound
from shared.redis_client import Redis
from tests.agent_gateway.gateway import Gateway, gateway, message, request
from tests.support.agents import Patient, agent
from tests.support.serve import someone

BOB, GLOBEX = someone("user:bob"), someone(tenant="globex")
THIEVES = pytest.mark.parametrize("thief", [BOB, GLOBEX], ids=["another user", "another tenant"])
EARLIER = {"a2a-version": "0.3"}


async def _task(gate: Gateway) -> tuple[str, str]:
    sent = message() | {"configuration": {"returnImmediately": True}}
    task = (await gate.call("writer", "SendMessage", sent)).json["result"]["task"]
    return task["id"], task["contextId"]


@THIEVES
async def test_no_path_and_no_version_is_a_way_round(tmp_path: Path, thief: Any) -> None:
    async with agent(Patient()) as writer, gateway(tmp_path, writer=writer) as gate:
        task, _ = await _task(gate)
        before = len(writer.heard)
        for prefix in ("", "/v1", "/acme", "/v1/acme"):
            headers = EARLIER if prefix.startswith("/v1") else {}
            for verb, path in (
                ("GET", f"/tasks/{task}"),
                ("GET", f"/tasks/{task}?tenant=acme"),
                ("POST", f"/tasks/{task}:cancel"),
                ("POST", f"/tasks/{task}:subscribe"),
                ("GET", f"/tasks/{task}/pushNotificationConfigs"),
                ("GET", f"/tasks/%{ord(task[0]):02x}{task[1:]}"),
            ):
                where = f"/agents/writer{prefix}{path}"
                answer = await gate.post("", b"", method=verb, path=where, caller=thief, headers=headers)
                assert answer.status in (404, 405), (verb, where, answer.body)
        for method in ("tasks/get", "tasks/cancel", "tasks/resubscribe"):
            asked = request(method, {"id": task})
            answer = await gate.post("writer", asked, caller=thief, headers=EARLIER)
            assert answer.code == -32001
        assert len(writer.heard) == before


@THIEVES
async def test_to_name_the_owners_tenant_changes_nothing(tmp_path: Path, thief: Any) -> None:
    async with agent(Patient()) as writer, gateway(tmp_path, writer=writer) as gate:
        task, context = await _task(gate)
        for params in ({"id": task, "tenant": "acme"}, {"id": task, "metadata": {"tenant": "acme"}}):
            assert (await gate.call("writer", "GetTask", params, thief)).code == -32001
        sent = message(contextId=context) | {"tenant": "acme"}
        assert (await gate.call("writer", "SendMessage", sent, thief)).code == -32001


@THIEVES
async def test_a_list_shows_nobody_elses_whatever_it_is_asked_for(tmp_path: Path, thief: Any) -> None:
    async with agent(Patient()) as writer, gateway(tmp_path, writer=writer) as gate:
        task, context = await _task(gate)
        for params in ({}, {"contextId": context}, {"tenant": "acme"}):
            listed = (await gate.call("writer", "ListTasks", params, thief)).json["result"]
            assert (listed["tasks"], listed["totalSize"]) == ([], 0)
        token = base64.urlsafe_b64encode(task.encode()).decode()
        assert (await gate.call("writer", "ListTasks", {"pageToken": token}, thief)).code == -32602


async def test_an_id_cannot_be_claimed_before_its_owner_has_it(tmp_path: Path) -> None:
    async with agent(Patient()) as writer, gateway(tmp_path, writer=writer) as gate:
        for params in (message(taskId="next"), message(contextId="next"), message(referenceTaskIds=["next"])):
            assert (await gate.call("writer", "SendMessage", params, BOB)).code == -32001
        assert writer.heard == []


async def test_no_tenants_name_reaches_into_anothers_ids(redis: Redis) -> None:
    """A name and an id that together read like another tenant's name and id."""
    tasks = Tasks(redis, 60)
    strange = someone(tenant="acme}:a2a:writer:task:a")
    await tasks.learn("writer", strange, Seen(task="b"))
    for name in ("a}:a2a:writer:task:b", "b"):
        with pytest.raises(NotFound):
            await tasks.check("writer", someone(), Names(task=name))
    places = {
        _key(someone(tenant="acme}:a2a:writer:at:task:a"), "writer", "task", "b"),
        _key(someone(), "writer", "task", "a}:a2a:writer:at:task:b"),
    }
    assert len(places) == 2


async def test_no_tenants_name_reaches_into_anothers_webhooks(redis: Redis) -> None:
    webhooks = Webhooks(redis, seconds=60, per_task=5)
    hook = Webhook(
        id="h",
        name="n",
        agent="reader",
        caller=someone(tenant="acme:writer"),
        wire="JSONRPC/1.0",
        url="https://203.0.113.9/",
        secret="x",
        task="t",
    )
    await webhooks.add(hook)
    assert await webhooks.of("acme:writer", "reader", "t") == [hook]
    assert await webhooks.of("acme", "writer", "reader:t") == []
    assert await Tasks(redis, 60, Clock()).listed("writer", someone()) == []


async def test_where_a_foreign_task_is_tells_nobody_that_there_is_one(tmp_path: Path) -> None:
    """While its address is down the task stays there, and what nobody knows would go to the fallback."""
    settings = {"writer": {"fallback": "spare"}}
    rules = [
        {"sub": "user:alice", "dom": "acme", "obj": "agent:*", "act": "*"},
        {"sub": "user:bob", "dom": "acme", "obj": "agent:writer", "act": "*"},
    ]
    async with (
        agent(Patient()) as writer,
        agent(Patient()) as spare,
        gateway(tmp_path, writer=writer, spare=spare, settings=settings, rules=rules) as gate,
    ):
        task, _ = await _task(gate)
        replicas = gate.service.app.state.probe._replicas
        for place in await replicas.places(gate.service.app.state.watch._catalog.find("writer")):
            if place.agent.name == "writer":
                replicas.failed(place)
        told = []
        for name in (task, "never-was"):
            answer = await gate.call("writer", "GetTask", {"id": name}, BOB)
            told.append((answer.status, answer.code, answer.message))
        assert told[0] == told[1]
        assert told[0][1] == -32001
