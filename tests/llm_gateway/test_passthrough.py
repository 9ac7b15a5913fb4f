"""The way past what is modelled: closed by default, the key stays here, and no path leads anywhere else."""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PROVIDER_KEY, Gateway, rule
from tests.support.endpoint_provider import body
from tests.support.providers import Call, ScriptedProvider, cut, error, sending, silence, whole
from tests.support.serve import someone
from tests.support.wait import SECONDS, eventually

PREFIX = "/v1/passthrough/main"
OPENED = {"passthrough": {"main": {"methods": ["GET", "POST", "DELETE"], "headers": ["x-custom"]}}}
MAY = rule(obj="route:llm/passthrough/main", act="manage")
SECRET = PROVIDER_KEY.encode()


@pytest.fixture
async def gateway(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    async with opened(
        provider, accept=["identity", "key"], endpoints=OPENED, policy={"rules": [MAY]}
    ) as gateway:
        yield gateway


async def test_anything_that_the_provider_has_can_be_reached(
    gateway: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(body({"id": "ftjob-1"}, headers={"x-request-id": "r1", "openai-version": "1"}))
    heard = await gateway.hear({"training_file": "f"}, path=f"{PREFIX}/fine_tuning/jobs?limit=2&a=b%20c")
    assert (heard.status, heard.json) == (200, {"id": "ftjob-1"})
    assert heard.headers["x-request-id"] == "r1"
    call = provider.last
    assert (call.method, call.path) == ("POST", "/v1/fine_tuning/jobs?limit=2&a=b+c")
    assert call.json == {"training_file": "f"}
    assert call.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    row = await gateway.service.row()
    assert (row.resource, row.action, row.provider) == ("route:llm/passthrough/main", "manage", "main")
    assert (row.decision, row.findings) == ("allow", ("POST /fine_tuning/jobs",))


async def test_the_official_client_with_another_base_address(
    gateway: Gateway, provider: ScriptedProvider
) -> None:
    secret, record = gateway.edge.key()
    await gateway.edge.keys(gateway.service.parts, [record])
    provider.will(body({"object": "list", "data": [], "has_more": False}))
    async with openai.AsyncOpenAI(base_url=gateway.url + PREFIX, api_key=secret, max_retries=0) as client:
        assert (await client.fine_tuning.jobs.list(limit=3)).data == []
    assert provider.last.path == "/v1/fine_tuning/jobs?limit=3"
    assert secret not in str(provider.last.header_list)


@pytest.mark.parametrize(
    "granted",
    [
        rule(),
        rule(obj="route:*", act="invoke"),
        rule(obj="route:llm/passthrough/second", act="manage"),
        rule(sub="user:bob", obj="*"),
    ],
)
async def test_who_may_not_finds_nothing(
    opened: Open, provider: ScriptedProvider, granted: dict[str, str]
) -> None:
    async with opened(provider, endpoints=OPENED, policy={"rules": [granted]}) as gateway:
        refused = await gateway.get(f"{PREFIX}/models")
        absent = await gateway.get("/v1/passthrough/nonsense/models")
        assert (refused.status, refused.body) == (404, absent.body)
        assert provider.calls == []
        rows = await gateway.service.rows(2)
        assert (rows[0].decision, rows[0].outcome) == ("deny", Outcome.REFUSED)


async def test_a_provider_that_is_not_opened_is_not_there(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, policy={"rules": [rule(obj="*")]}) as gateway:
        assert (await gateway.get(f"{PREFIX}/models")).status == 404
        assert (await gateway.get(f"{PREFIX}/models", headers={})).status == 401
        assert provider.calls == []


async def test_names_in_other_alphabets_arrive_as_they_were_written(
    gateway: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(body({}))
    assert (await gateway.get(f"{PREFIX}/files/gr%C3%BC%C3%9Fe%3F")).status == 200
    assert provider.last.path == "/v1/files/gr%C3%BC%C3%9Fe%3F"


async def test_what_says_who_the_caller_is_stays_here(gateway: Gateway, provider: ScriptedProvider) -> None:
    provider.will(body({}))
    more = {
        "proxy-authorization": "Basic mine",
        "cookie": "a=b",
        "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
        "baggage": "user=alice",
        "x-forwarded-for": "10.0.0.1",
        "openai-organization": "org-mine",
        "connection": "x-hop, close",
        "x-hop": "1",
        "x-custom": "yes",
        "accept": "application/json",
        "user-agent": "me",
    }
    headers = gateway.identity() | more
    query = "?key=mine&API_KEY=mine&access_token=mine&keep=1"
    assert (await gateway.get(f"{PREFIX}/models{query}", headers=headers)).status == 200
    sent = provider.last.headers
    assert set(sent) <= {
        "host",
        "authorization",
        "accept-encoding",
        "x-custom",
        "accept",
        "content-length",
        "connection",
    }
    assert sent["x-custom"] == "yes"
    assert sent["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert provider.last.path == "/v1/models?keep=1"


async def test_what_the_provider_says_about_us_stays_here(
    gateway: Gateway, provider: ScriptedProvider
) -> None:
    said = {
        "set-cookie": "session=1",
        "location": "http://127.0.0.1:9/",
        "x-ratelimit-remaining-requests": "5",
        "openai-organization": "org-ours",
        "x-request-id": f"r-{PROVIDER_KEY}",
        "etag": '"1"',
    }
    provider.will(whole(b'{"key":"' + SECRET + b'"}', headers=said))
    heard = await gateway.get(f"{PREFIX}/me")
    assert heard.status == 200
    assert SECRET not in heard.body
    assert heard.headers["etag"] == '"1"'
    assert heard.headers["x-request-id"] == "r-***"
    hidden = {"set-cookie", "location", "openai-organization", "x-ratelimit-remaining-requests"}
    assert not hidden & set(heard.headers)


@pytest.mark.parametrize("at", range(0, len(SECRET) + 1, 5))
async def test_a_key_in_two_pieces_is_cut_out_too(
    gateway: Gateway, provider: ScriptedProvider, at: int
) -> None:
    async def behave(call: Call) -> None:
        await call.start({"content-type": "text/plain"})
        await call.send(b"a " + SECRET[:at])
        await call.send(SECRET[at:] + b" b")
        await call.end()

    provider.will(behave)
    heard = await gateway.get(f"{PREFIX}/me")
    assert heard.body == b"a " + b"*" * len(SECRET) + b" b"


async def test_events_come_while_they_are_made(gateway: Gateway, provider: ScriptedProvider) -> None:
    gate = asyncio.Event()

    async def behave(call: Call) -> None:
        await call.start()
        await call.send(b"data: 1\n\n")
        await gate.wait()
        await call.send(b"data: 2\n\n")
        await call.end()

    provider.will(behave)
    async with await gateway.send({"stream": True}, path=f"{PREFIX}/responses") as reply:
        chunks = reply.chunks()
        assert await anext(chunks) == b"data: 1\n\n"
        gate.set()
        assert b"".join([chunk async for chunk in chunks]) == b"data: 2\n\n"
        assert (reply.header("content-type") or "").startswith("text/event-stream")


async def test_a_large_body_goes_up_as_it_arrives(gateway: Gateway, provider: ScriptedProvider) -> None:
    provider.will(body({}))
    sent = bytes(range(256)) * 8_192
    headers = gateway.identity() | {"content-type": "application/octet-stream"}
    assert (await gateway.hear(sent, path=f"{PREFIX}/uploads", headers=headers)).status == 200
    assert provider.last.body == sent
    assert provider.last.headers["content-type"] == "application/octet-stream"


async def test_a_body_that_is_too_large_is_refused(opened: Open, provider: ScriptedProvider) -> None:
    endpoints = {**OPENED, "max_file_bytes": 1_000}
    async with opened(provider, endpoints=endpoints, policy={"rules": [MAY]}) as gateway:
        assert (await gateway.hear(b"x" * 2_000, path=f"{PREFIX}/files")).status == 413
        assert provider.calls == []


async def test_the_providers_errors_come_as_they_are(gateway: Gateway, provider: ScriptedProvider) -> None:
    provider.will(error(404, message="no such job"))
    heard = await gateway.get(f"{PREFIX}/fine_tuning/jobs/1")
    assert (heard.status, heard.error["message"]) == (404, "no such job")


@pytest.mark.parametrize(
    "said",
    [
        error(401, message=f"Incorrect API key provided: {PROVIDER_KEY[:12]}***"),
        whole(b"", status=302, headers={"location": "http://127.0.0.1:9/"}),
        whole(b"\x1f\x8b", headers={"content-encoding": "gzip"}),
        cut,
    ],
)
async def test_what_must_not_be_seen_is_a_clear_error(
    gateway: Gateway, provider: ScriptedProvider, said: object
) -> None:
    provider.will(said)  # type: ignore[arg-type]
    heard = await gateway.get(f"{PREFIX}/models")
    assert (heard.status, heard.error["type"]) == (502, "upstream_error")
    assert SECRET[:12] not in heard.body


async def test_an_answer_that_is_cut_off_stays_cut_off(gateway: Gateway, provider: ScriptedProvider) -> None:
    provider.will(sending([b"data: 1\n\n"], then=cut))
    heard = await gateway.get(f"{PREFIX}/events")
    assert b'"error"' in heard.body
    assert (await gateway.service.row()).outcome == Outcome.BROKEN


async def test_only_the_opened_methods(gateway: Gateway, provider: ScriptedProvider) -> None:
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE"):
        assert (await gateway.hear(b"", method=method, path=f"{PREFIX}/models")).status == 405
    assert provider.calls == []


async def test_limits_hold_and_an_empty_budget_closes_it(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(body({}))
    limits = [{"name": "few", "per": "route", "unit": "requests", "amount": 2, "window": "day"}]
    policy = {"rules": [MAY]}
    async with opened(
        provider, endpoints=OPENED, policy=policy, limits=limits, chain={"budget": {"model_calls": 1}}
    ) as gateway:
        caller = someone()
        assert (await gateway.get(f"{PREFIX}/models", caller=caller)).status == 200
        heard = await gateway.get(f"{PREFIX}/models", caller=caller)
        assert (heard.status, heard.error["code"]) == (429, "insufficient_quota")
        assert (await gateway.get(f"{PREFIX}/models")).status == 200
        heard = await gateway.get(f"{PREFIX}/models")
        assert (heard.status, heard.error["code"]) == (429, "rate_limit_exceeded")
        assert len(provider.calls) == 2


async def test_a_kill_of_the_provider_cuts_it(gateway: Gateway, provider: ScriptedProvider) -> None:
    provider.will(silence)
    asking = asyncio.create_task(gateway.get(f"{PREFIX}/models"))
    await eventually(lambda: provider.calls)
    await gateway.edge.kill(gateway.service.parts, provider="main")
    assert (await asking).error["code"] == "killed"
    assert (await gateway.get(f"{PREFIX}/models")).error["code"] == "killed"
    assert len(provider.calls) == 1


async def test_a_caller_that_leaves_takes_the_call_with_it(
    gateway: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(silence)
    asking = asyncio.create_task(gateway.get(f"{PREFIX}/models"))
    await eventually(lambda: provider.calls)
    asking.cancel()
    await asyncio.wait_for(provider.last.left.wait(), SECONDS)
    assert (await gateway.service.row()).outcome == Outcome.CLIENT_GONE
