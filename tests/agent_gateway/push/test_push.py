"""Notifications reach the client's webhook through the gateway: checked, once, in its own version."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from a2a.types import (
    AuthenticationInfo,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest,
    TaskPushNotificationConfig,
)

from agent_gateway.call import Wire
from shared.asgi import Send
from shared.ledger.row import Row
from tests.agent_gateway.gateway import Gateway, gateway, message
from tests.agent_gateway.push.hook import ALLOW, config, states, webhook
from tests.agent_gateway.test_matrix import every_pair, spoken, started
from tests.support.agents import Heard, Versatile, agent, scripted
from tests.support.serve import someone
from tests.support.wait import eventually


@every_pair
async def test_a_config_is_set_got_listed_and_deleted_and_notifications_arrive(
    tmp_path: Path, ours: Wire, theirs: Wire
) -> None:
    executor = Versatile()
    async with (
        webhook() as hook,
        agent(executor) as writer,
        gateway(tmp_path, writer=writer, settings={"writer": spoken(writer, theirs)}, section=ALLOW) as gate,
        gate.client("writer", streaming=True, wire=ours) as client,
    ):
        task = await started(client)
        made = await client.create_task_push_notification_config(
            TaskPushNotificationConfig(
                task_id=task.id,
                id="mine",
                url=f"{hook.url}hook",
                token="t0ken",
                authentication=AuthenticationInfo(scheme="Bearer", credentials="secret"),
            )
        )
        assert (made.id, made.url, made.token) == ("mine", f"{hook.url}hook", "t0ken")
        asked = GetTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
        assert (await client.get_task_push_notification_config(asked)).url == made.url
        _never_told(writer.heard, hook.url, "secret")
        executor.end.set()
        sent = await eventually(lambda: hook.heard, "the notification")
        assert sent[0].path == "/hook"
        assert sent[0].headers["x-a2a-notification-token"] == "t0ken"
        assert sent[0].headers["authorization"] == "Bearer secret"
        assert ("kind" in sent[0].body) == ours.endswith("0.3")
        assert "completed" in msgspec.json.encode(sent[0].body).decode().lower()
        if ours != "HTTP+JSON/0.3":  # which can neither list nor delete, says the SDK
            listed = ListTaskPushNotificationConfigsRequest(task_id=task.id)
            assert [one.id for one in (await client.list_task_push_notification_configs(listed)).configs] == [
                "mine"
            ]
            gone = DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
            await client.delete_task_push_notification_config(gone)
            assert not (await client.list_task_push_notification_configs(listed)).configs


def _never_told(heard: list[Heard], *secrets: str) -> None:
    """Neither where the client's webhook is nor its credentials go to the agent."""
    said = msgspec.json.encode([one.body for one in heard if not isinstance(one.body, bytes)]).decode()
    assert not any(secret in said for secret in secrets)


async def _sent(gate: Gateway, url: str, **more: Any) -> Any:
    configuration = {"returnImmediately": True, "taskPushNotificationConfig": config(url, **more)}
    answer = await gate.call("writer", "SendMessage", message("wait") | {"configuration": configuration})
    return answer.json


async def test_a_webhook_that_comes_with_the_message_is_bound_to_the_task_it_starts(tmp_path: Path) -> None:
    executor = Versatile()
    async with (
        webhook() as hook,
        agent(executor) as writer,
        gateway(tmp_path, writer=writer, section=ALLOW) as gate,
    ):
        task = (await _sent(gate, f"{hook.url}hook", id="c1"))["result"]["task"]["id"]
        listed = await gate.call("writer", "ListTaskPushNotificationConfigs", {"taskId": task})
        assert [one["id"] for one in listed.json["result"]["configs"]] == ["c1"]
        assert "the client's own" not in listed.body.decode()
        _never_told(writer.heard, hook.url, "the client's own", "t0ken")
        executor.end.set()
        await eventually(lambda: "COMPLETED" in states(hook), "the last notification")
        assert len(states(hook)) == len(set(states(hook)))
        # Its delivery is under way before the agent has its answer, and only then is it on record.
        brought = await eventually(lambda: _brought(gate), "the entry of a notification")
        assert {(row.task, row.principal) for row in brought} == {(task, "user:alice")}


async def _brought(gate: Gateway) -> list[Row]:
    return [row for row in await gate.service.rows(1) if row.action == "push"]


async def test_another_can_neither_set_nor_see_nor_delete_a_config(tmp_path: Path) -> None:
    bob = someone("user:bob")
    async with (
        webhook() as hook,
        agent(Versatile()) as writer,
        gateway(tmp_path, writer=writer, section=ALLOW) as gate,
    ):
        task = (await _sent(gate, hook.url, id="c1"))["result"]["task"]["id"]
        for method, params in (
            ("CreateTaskPushNotificationConfig", {"taskId": task, **config(hook.url)}),
            ("GetTaskPushNotificationConfig", {"taskId": task, "id": "c1"}),
            ("ListTaskPushNotificationConfigs", {"taskId": task}),
            ("DeleteTaskPushNotificationConfig", {"taskId": task, "id": "c1"}),
        ):
            assert (await gate.call("writer", method, params, bob)).code == -32001


async def test_a_delivery_that_fails_is_made_again_in_order_and_under_the_same_id(tmp_path: Path) -> None:
    executor = Versatile()
    async with (
        webhook(lambda count: 503 if count < 3 else 200) as hook,
        agent(executor) as writer,
        gateway(tmp_path, writer=writer, section=ALLOW) as gate,
    ):
        await _sent(gate, hook.url)
        executor.end.set()
        await eventually(lambda: states(hook)[-1:] == ["COMPLETED"], "the last notification")
        ids = [one.headers["x-gatestack-delivery"] for one in hook.heard]
        assert ids[0] == ids[1] == ids[2]
        bodies = [msgspec.json.encode(one.body) for one in hook.heard]
        assert bodies[0] == bodies[1] == bodies[2]
        assert len(set(ids[2:])) == len(ids[2:])


async def test_what_the_agent_says_twice_is_delivered_once(tmp_path: Path) -> None:
    async with (
        webhook() as hook,
        agent(Versatile()) as writer,
        gateway(tmp_path, writer=writer, section=ALLOW) as gate,
    ):
        task = (await _sent(gate, hook.url))["result"]["task"]
        ours = writer.calls()[0].body["params"]["configuration"]["taskPushNotificationConfig"]
        before = await eventually(lambda: len(hook.heard), "the first notification")
        for _ in range(3):
            assert await _notify(gate, ours["url"], ours["token"], _update(task, "WORKING", "again")) == 202
        last = _update(task, "COMPLETED", "end")
        assert await _notify(gate, ours["url"], ours["token"], last) == 202
        await eventually(lambda: states(hook)[-1:] == ["COMPLETED"], "the last notification")
        said = [msgspec.json.encode(one.body).decode() for one in hook.heard[before:]]
        assert sum("again" in one for one in said) == 1


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_only_the_agent_can_bring_a_notification_and_only_of_its_task(
    tmp_path: Path, token: str
) -> None:
    async with (
        webhook() as hook,
        agent(Versatile()) as writer,
        gateway(tmp_path, writer=writer, section=ALLOW) as gate,
    ):
        task = (await _sent(gate, hook.url))["result"]["task"]
        ours = writer.calls()[0].body["params"]["configuration"]["taskPushNotificationConfig"]
        forged = _update(task, "COMPLETED", "forged")
        assert await _notify(gate, ours["url"], token, forged) == (404 if token else 401)
        other = _update({"id": "other", "contextId": "c"}, "COMPLETED", "forged")
        assert await _notify(gate, ours["url"], ours["token"], other) == 403
        assert await _notify(gate, ours["url"], ours["token"], {"odd": 1}) == 400
        assert await _notify(gate, ours["url"] + "x", ours["token"], forged) == 404
        await eventually(lambda: hook.heard, "the agent's own notification")
        assert b"forged" not in msgspec.json.encode([one.body for one in hook.heard])
        stored = [
            bytes(await gate.parts.redis.execute("GET", key))
            for key in await gate.parts.redis.execute("KEYS", "gs:{push}:hook:*")
        ]
        assert stored
        assert not any(ours["token"].encode() in value for value in stored)


def _update(task: dict[str, Any], state: str, text: str) -> dict[str, Any]:
    said = {"messageId": text, "role": "ROLE_AGENT", "parts": [{"text": text}]}
    status = {"state": f"TASK_STATE_{state}", "message": said}
    return {"statusUpdate": {"taskId": task["id"], "contextId": task["contextId"], "status": status}}


async def _notify(gate: Gateway, url: str, token: str, event: Any) -> int:
    headers = [("content-type", "application/a2a+json")]
    if token:
        headers.append(("x-a2a-notification-token", token))
    async with await gate.http.send("POST", url, headers=headers, body=msgspec.json.encode(event)) as reply:
        await reply.read(65_536)
        return reply.status


async def test_a_notification_that_waits_outlives_the_process(tmp_path: Path) -> None:
    async with agent(Versatile()) as writer, webhook(lambda _: 503) as hook:
        async with gateway(tmp_path, writer=writer, section=_slow()) as gate:
            await _sent(gate, hook.url)
            await eventually(lambda: hook.heard, "the first attempt")
        before = len(hook.heard)
        async with gateway(tmp_path, writer=writer, section=_slow()) as gate:
            await eventually(lambda: len(hook.heard) > before, "another attempt by the next process")
        assert len({one.headers["x-gatestack-delivery"] for one in hook.heard}) == 1


async def test_a_notification_that_was_under_way_is_brought_by_the_next_process_at_once(
    tmp_path: Path,
) -> None:
    async def deaf(_: Heard, send: Send) -> None:
        await asyncio.Event().wait()

    async with agent(Versatile()) as writer, scripted(deaf) as hook:
        async with gateway(tmp_path, writer=writer, section=_slow()) as gate:
            await _sent(gate, hook.url)
            await eventually(lambda: hook.heard, "the first attempt")
        async with gateway(tmp_path, writer=writer, section=_slow()):
            await eventually(lambda: len(hook.heard) == 2, "another attempt by the next process")
    assert len({one.headers["x-gatestack-delivery"] for one in hook.heard}) == 1


def _slow() -> dict[str, Any]:
    return {"push": {"allow": ["127.0.0.1/32"], "pause_seconds": 0.2}}
