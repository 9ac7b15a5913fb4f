"""Alerts reach the operator's webhook, signed, whatever happens in between."""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from shared.alerts import SIGNATURE, Alert, Alerts, parsed
from shared.background import cancelled
from shared.clock import Clock
from shared.config import AlertsSection, Secret
from shared.http_client import HttpClient
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate
from shared.redis_client import Redis
from shared.telemetry import Telemetry
from tests.shared.approvals.asking import ASKED
from tests.shared.limits.calls import limit, reserve, settle
from tests.support.providers import ScriptedProvider, cut, error, whole
from tests.support.wait import eventually

RULE = limit(100, "micros", name="team-money", alerts=(50, 80))


@pytest.fixture
def limiter(redis: Redis) -> Limiter:
    return Limiter(redis, Clock())


@pytest.fixture
async def webhook() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as server:
        server.will(whole(b"{}"))
        yield server


def section(webhook: ScriptedProvider, **more: Any) -> AlertsSection:
    return AlertsSection(webhook=webhook.base_url, secret=Secret("s3cret"), **more)


@contextlib.asynccontextmanager
async def running(redis: Redis, limiter: Limiter, section: AlertsSection) -> AsyncIterator[Alerts]:
    http, telemetry = HttpClient(), Telemetry("test")
    alerts = Alerts(redis, http, section, Clock(), pause=0.01)
    alerts.attend(limiter, telemetry)
    task = asyncio.create_task(alerts.run())
    try:
        yield alerts
    finally:
        await cancelled(task)
        await http.close()


async def spend(limiter: Limiter, *amounts: int, tenant: str = "acme") -> None:
    for number, micros in enumerate(amounts):
        lease = await reserve(limiter, [RULE], Estimate(model_calls=1), tenant=tenant)
        used = Estimate(micros=micros, model_calls=1)
        await settle(limiter, lease, used, tenant=tenant, row=str(number).encode())


async def test_an_alert_says_what_is_used_up_and_is_signed(
    redis: Redis, limiter: Limiter, webhook: ScriptedProvider
) -> None:
    async with running(redis, limiter, section(webhook, headers={"x-team": Secret("ops")})):
        await spend(limiter, 60)
        await eventually(lambda: webhook.calls)
    call = webhook.last
    assert {name: call.json[name] for name in ("type", "tenant", "rule", "unit", "subject", "window")} == {
        "type": "limit.threshold",
        "tenant": "acme",
        "rule": "team-money",
        "unit": "micros",
        "subject": "support",
        "window": "month",
    }
    assert (call.json["percent"], call.json["used"], call.json["amount"]) == (50, 60, 100)
    stamp, digest = (part.split("=")[1] for part in call.headers[SIGNATURE].split(","))
    expected = hmac.new(b"s3cret", f"{stamp}.".encode() + call.body, hashlib.sha256).hexdigest()
    assert digest == expected
    assert call.headers["idempotency-key"] == call.json["id"]
    assert call.headers["x-team"] == "ops"


async def test_a_call_that_waits_for_a_person_is_told_of_too(
    redis: Redis, limiter: Limiter, webhook: ScriptedProvider
) -> None:
    async with running(redis, limiter, section(webhook)) as alerts:
        await alerts.asked(ASKED)
        await eventually(lambda: webhook.calls)
    told = webhook.last.json
    assert (told["type"], told["id"], told["actors"]) == ("approval.asked", "a1", list(ASKED.actors))
    assert (told["resource"], told["preview"], told["rule"]) == ("tool:pay/send", "{}", "money")
    assert "digest" not in told
    assert SIGNATURE in webhook.last.headers


@pytest.mark.parametrize("trouble", [[error(500)], [cut], [error(429), cut, error(503)]])
async def test_an_alert_that_is_not_taken_is_sent_again_and_is_the_same(
    redis: Redis, limiter: Limiter, webhook: ScriptedProvider, trouble: Sequence[Any]
) -> None:
    webhook.will(*trouble, whole(b""))
    async with running(redis, limiter, section(webhook)) as alerts:
        await spend(limiter, 60)
        await eventually(lambda: alerts.sent)
    assert len(webhook.calls) == len(trouble) + 1
    assert len({call.json["id"] for call in webhook.calls}) == 1
    assert await redis.execute("LLEN", "gs:{acme}:alerts") == 0


async def test_a_webhook_that_takes_nothing_is_given_up_and_holds_up_nobody(
    redis: Redis, limiter: Limiter, webhook: ScriptedProvider
) -> None:
    webhook.will(error(500))
    async with running(redis, limiter, section(webhook, attempts=3)) as alerts:
        await spend(limiter, 60, 30)
        await eventually(lambda: alerts.lost == 2)
    assert len(webhook.calls) == 6
    assert alerts.sent == 0


async def test_processes_together_send_each_alert_once(
    redis: Redis, limiter: Limiter, webhook: ScriptedProvider
) -> None:
    others = [limiter, Limiter(redis, Clock()), Limiter(redis, Clock())]
    async with contextlib.AsyncExitStack() as opened:
        contexts: list[AbstractAsyncContextManager[Alerts]] = [
            running(redis, each, section(webhook)) for each in others
        ]
        alerts = [await opened.enter_async_context(context) for context in contexts]
        tenants = [f"tenant-{number}" for number in range(6)]
        await asyncio.gather(*(spend(others[n % 3], 60, 30, tenant=name) for n, name in enumerate(tenants)))
        await eventually(lambda: sum(each.sent for each in alerts) >= 12)
    told = sorted((call.json["tenant"], call.json["percent"]) for call in webhook.calls)
    assert told == [(tenant, percent) for tenant in tenants for percent in (50, 80)]


async def test_word_of_a_process_that_died_is_found_by_another(
    redis: Redis, limiter: Limiter, webhook: ScriptedProvider
) -> None:
    await spend(limiter, 60)
    http = HttpClient()
    try:
        await Alerts(redis, http, section(webhook), Clock()).step()
    finally:
        await http.close()
    assert [call.json["percent"] for call in webhook.calls] == [50]


async def test_without_a_webhook_alerts_stand_in_the_log(
    redis: Redis, limiter: Limiter, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(redis, limiter, AlertsSection()) as alerts:
        await spend(limiter, 60)
        await eventually(lambda: alerts.sent)
    [line] = [record.getMessage() for record in caplog.records if "alert:" in record.getMessage()]
    assert msgspec.json.decode(line.partition(": ")[2])["rule"] == "team-money"


@pytest.mark.parametrize("word", ["", "a", "a\tb\tc\td\te", "r:u:s:M1\tx\t1\t2\t3", "r:u:s\t50\t1\t2\t3"])
def test_what_is_no_word_of_a_limit_is_no_alert(word: str) -> None:
    assert parsed(word, "acme") is None


def test_odd_names_come_out_as_they_went_in() -> None:
    alert = parsed("a%3Ab%20c:micros:user:é%7D:M1790000000\trefused\t1\t2\t3", "acme")
    assert isinstance(alert, Alert)
    assert (alert.rule, alert.subject, alert.type, alert.starts_at) == (
        "a:b c",
        "user:é}",
        "limit.refused",
        1_790_000_000,
    )
