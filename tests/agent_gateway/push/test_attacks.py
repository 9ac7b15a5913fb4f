"""A webhook is a way to make somebody else call an address: only public ones."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_gateway.app import SERVICE
from agent_gateway.config import PushSection
from agent_gateway.push.deliver import Deliver
from agent_gateway.push.outbox import Outbox
from agent_gateway.push.record import Record
from agent_gateway.push.webhooks import Webhook, Webhooks
from shared.clock import Clock
from shared.config import load
from shared.egress import Egress
from shared.errors import LimitExceeded
from shared.parts import Parts, open_parts
from shared.redis_client import Redis
from tests.agent_gateway import gateway as where
from tests.agent_gateway.gateway import gateway, message
from tests.agent_gateway.push.hook import ALLOW, config, letter, webhook
from tests.support.agents import Versatile, agent
from tests.support.serve import Edge, someone
from tests.support.wait import eventually

PRIVATE = [
    "http://127.0.0.1/",
    "http://localhost:8083/admin",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://172.16.0.1/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[fd00::1]/",
    "http://user:pass@203.0.113.9/",
    "ftp://203.0.113.9/",
    "file:///etc/passwd",
    "gopher://203.0.113.9/",
    "http://",
    "",
]


async def test_no_webhook_is_registered_that_is_not_public(tmp_path: Path) -> None:
    async with agent(Versatile()) as writer, gateway(tmp_path, writer=writer) as gate:
        for url in PRIVATE:
            configuration = {"taskPushNotificationConfig": config(url)}
            answer = await gate.call("writer", "SendMessage", message() | {"configuration": configuration})
            assert (url, answer.code) == (url, -32602)
        assert writer.heard == []


@pytest.mark.parametrize("field", ["token", "credentials"])
async def test_no_header_can_be_smuggled_into_a_delivery(tmp_path: Path, field: str) -> None:
    evil = "x\r\nhost: elsewhere"
    given: dict[str, Any] = {"url": "https://203.0.113.9/"}
    given |= {"token": evil} if field == "token" else {"authentication": {"scheme": "B", "credentials": evil}}
    async with agent(Versatile()) as writer, gateway(tmp_path, writer=writer) as gate:
        configuration = {"taskPushNotificationConfig": given}
        answer = await gate.call("writer", "SendMessage", message() | {"configuration": configuration})
        assert answer.code == -32602


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    executor = Versatile()
    async with (
        webhook(lambda _: 302) as hook,
        agent(executor) as writer,
        gateway(tmp_path, writer=writer, section=ALLOW) as gate,
    ):
        configuration = {"returnImmediately": True, "taskPushNotificationConfig": config(hook.url)}
        await gate.call("writer", "SendMessage", message("wait") | {"configuration": configuration})
        outbox: Outbox = gate.service.app.state.push.outbox
        note = await eventually(outbox.dead, "the notification given up")
        assert b"HTTP 302" in note[0]


async def test_a_name_that_resolves_elsewhere_later_is_not_called(tmp_path: Path) -> None:
    """At registration the name was public; at delivery it leads inside."""
    async with webhook() as hook, opened(tmp_path) as parts:
        answers = [["127.0.0.1"]]

        async def resolve(host: str, port: int) -> list[str]:
            return answers[0]

        deliver, outbox = await _delivering(parts, Egress(resolve=resolve), hook.url)
        await deliver.once()
        assert [b"not an address that may be called" in note for note in await outbox.dead()] == [True]
        assert hook.heard == []


async def test_the_address_that_was_checked_is_the_one_connected_to(tmp_path: Path) -> None:
    """A name with two answers, one after the other: only the first is ever asked for and used."""
    async with webhook() as hook, opened(tmp_path) as parts:
        asked = []

        async def resolve(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

        egress = Egress(["127.0.0.1/32"], resolve=resolve)
        url = hook.url.replace("127.0.0.1", "webhook.example")
        deliver, _ = await _delivering(parts, egress, url)
        await deliver.once()
        assert asked == ["webhook.example"]
        [one] = hook.heard
        assert one.headers["host"].startswith("webhook.example:")


async def test_a_flood_of_notifications_is_stopped(redis: Redis) -> None:
    outbox = Outbox(redis, Clock(), waiting=3, lease=1)
    for n in range(3):
        assert await outbox.put(_webhook("http://203.0.113.9/"), letter(f'{{"n":{n}}}'), once=True)
    with pytest.raises(LimitExceeded):
        await outbox.put(_webhook("http://203.0.113.9/"), letter("{}"), once=True)


async def test_a_task_has_so_many_webhooks_and_no_more(tmp_path: Path) -> None:
    section = {"push": {"allow": ["127.0.0.1/32"], "per_task": 2}}
    async with agent(Versatile()) as writer, gateway(tmp_path, writer=writer, section=section) as gate:
        sent = message("wait") | {"configuration": {"returnImmediately": True}}
        task = (await gate.call("writer", "SendMessage", sent)).json["result"]["task"]["id"]
        codes = []
        for name in ("a", "b", "a", "c"):
            given = {"taskId": task, "id": name, "url": "http://127.0.0.1:1/"}
            codes.append((await gate.call("writer", "CreateTaskPushNotificationConfig", given)).code)
        assert codes == [0, 0, 0, -32600]


@contextlib.asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Parts]:
    """What a gateway delivers with, and no gateway that would deliver before the test does."""
    edge, path = Edge(directory), directory / "gatestack.yaml"
    state = {"dir": str(directory / "state"), "redis": where.REDIS}
    identity = {"keys_dir": str(directory / "keys"), "trust": {"api_gateway": str(edge.jwks)}}
    path.write_text(yaml.safe_dump({"state": state, "identity": identity}))
    loaded = load(path, SERVICE.name, SERVICE.section, SERVICE.problems, {})
    async with open_parts(SERVICE.name, loaded) as parts:
        await edge.kill(parts)
        yield parts


async def _delivering(parts: Parts, egress: Egress, url: str) -> tuple[Deliver, Outbox]:
    webhooks = Webhooks(parts.redis, seconds=60, per_task=5)
    outbox = Outbox(parts.redis, Clock(), waiting=10, lease=5)
    hook = _webhook(url)
    await webhooks.add(hook)
    await outbox.put(hook, letter('{"task":{"id":"t"}}'), once=True)
    section = PushSection(pause_seconds=0.01)
    record = Record(parts.ledger, parts.telemetry, Clock())
    return Deliver(outbox, webhooks, parts.http, egress, parts.kill, record, section), outbox


def _webhook(url: str) -> Webhook:
    return Webhook(
        id="h1", name="n", agent="writer", caller=someone(), wire="JSONRPC/1.0", url=url, secret="x", task="t"
    )
