"""Whatever a provider does to its connection, a caller sees one answer or one clear error, pays for one
answer, and waits no longer than it was told.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import COST, model_section, request
from tests.llm_gateway.router.live import fast, to
from tests.support.clock import MovedClock
from tests.support.impostor import impostor
from tests.support.providers import (
    DONE,
    Behaviour,
    Call,
    ScriptedProvider,
    chunk,
    completion,
    completion_body,
    cut,
    error,
    events,
    sending,
    silence,
    stream,
    whole,
)
from tests.support.wait import SECONDS

# For those who never say anything; everybody else gets the time that a busy machine may need.
SHORT = {"first_byte_timeout_seconds": 0.4, "idle_timeout_seconds": 0.4}


def then(first: Behaviour, second: Behaviour) -> Behaviour:
    async def behave(call: Call) -> None:
        await first(call)
        await second(call)

    return behave


def sent(data: bytes) -> Behaviour:
    async def behave(call: Call) -> None:
        await call.send(data)

    return behave


async def half_a_head(call: Call) -> None:
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-ty")
    call.cut()


async def another_protocol(call: Call) -> None:
    await call.raw(b"220 mail.example.com ESMTP\r\n")
    call.cut()


async def two_lengths(call: Call) -> None:
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 40\r\n\r\n{}")
    call.cut()


async def no_chunks(call: Call) -> None:
    await call.raw(b"zz\r\nhello\r\n")
    call.cut()


# Before the first byte: another target may answer.
BEFORE: dict[str, Behaviour] = {
    "500": error(500),
    "502 in html": whole(b"<html>Bad Gateway</html>", status=502),
    "429 without a word": whole(b"", status=429),
    "401": error(401),
    "silence": silence,
    "closed at once": cut,
    "half a head": half_a_head,
    "another protocol": another_protocol,
    "two lengths": two_lengths,
    "broken chunks": then(Call.start, no_chunks),
    "garbage": whole(b"\x00\xff\xfe garbage"),
    "garbage as events": sending([b"data: \x00\xff\n\n"]),
    "an empty stream": sending([]),
    "a stream that is cut before its first event": sending([b": hello\n\n"], then=cut),
    "a stream that never says anything": sending([b": still here\n\n"], then=silence),
    "half a body": then(whole(completion_body()[:40], headers={"content-length": 900}), cut),
    "a body that stops": then(whole(completion_body()[:40], headers={"content-length": 900}), silence),
}
# After it: the caller's answer ends with an error, and nobody else is asked.
AFTER: dict[str, Behaviour] = {
    "closed without an end": Call.end,
    "reset": cut,
    "half an event": then(sent(b'data: {"choices":[{"del'), cut),
    "garbage": then(sent(b"data: {]\n\n"), Call.end),
    "an error": then(sent(b'data: {"error":{"message":"overloaded"}}\n\n'), Call.end),
    # The HTTP library tells nobody about these: it is the silence after them that ends the call.
    "chunks that are none": no_chunks,
    "silence": silence,
}


# Those that only a timeout ends.
SILENT = {"silence", "a stream that never says anything", "a body that stops", "chunks that are none"}


def sections(fault: str = "", **addresses: str) -> dict[str, Any]:
    found: dict[str, Any] = {name: {"base_url": address} for name, address in addresses.items()}
    if fault in SILENT:
        found["main"] |= SHORT
    return found


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", BEFORE)
async def test_a_fault_before_the_first_byte_is_one_answer_of_another_target_and_one_bill(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, fault: str, streamed: bool
) -> None:
    provider.will(BEFORE[fault])
    second.will(stream("one", " answer") if streamed else completion("one answer"))
    providers = sections(fault, main=provider.base_url, second=second.base_url)
    models = {"fast": model_section("main", "second")}
    async with opened(providers=providers, models=models) as gateway:
        heard = await gateway.ask(stream=streamed)
        assert heard.status == 200
        assert heard.body.count(b"answer") == 1
        assert (len(provider.calls), len(second.calls)) == (1, 1)
        row = await gateway.service.row()
        assert (row.outcome, row.provider, row.attempts) == (Outcome.COMPLETED, "second", 2)
        assert (row.cost_micros, row.tokens_in, row.tokens_out) == (COST, 20, 8)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", BEFORE)
async def test_a_fault_with_nobody_else_to_ask_is_one_clear_error_and_no_bill(
    opened: Open, provider: ScriptedProvider, fault: str, streamed: bool
) -> None:
    provider.will(BEFORE[fault])
    models = {"fast": model_section("main")}
    async with opened(providers=sections(fault, main=provider.base_url), models=models) as gateway:
        heard = await gateway.ask(stream=streamed)
        assert heard.status in (429, 502, 504)
        assert heard.error["type"] == "upstream_error"
        assert len(provider.calls) == 1
        row = await gateway.service.row()
        assert (row.outcome, row.cost_micros, row.attempts) == (Outcome.FAILED, 0, 1)


@pytest.mark.parametrize("fault", AFTER)
async def test_a_fault_in_the_middle_ends_the_answer_with_an_error_and_nothing_is_said_twice(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, fault: str
) -> None:
    begun = asyncio.Event()

    async def behave(call: Call) -> None:
        await call.start()
        await call.send(chunk({"content": "Hel"}))
        await begun.wait()
        await AFTER[fault](call)

    provider.will(behave)
    providers = sections(main=provider.base_url, second=second.base_url)
    if fault in SILENT:
        # Long enough for what it says before.
        providers["main"]["idle_timeout_seconds"] = 1
    models = {"fast": model_section("main", "second")}
    async with opened(providers=providers, models=models) as gateway:
        async with await gateway.send(request(stream=True)) as reply:
            begun.set()
            body = await reply.read(2**20)
        assert (body.count(b"Hel"), body.count(b'"error"'), body.count(DONE)) == (1, 1, 0)
        assert (len(provider.calls), second.calls) == (1, [])
        row = await gateway.service.row()
        assert (row.outcome, row.provider) == (Outcome.BROKEN, "main")
        # What has been said is paid for, by a guess that says so.
        assert 0 < row.cost_micros < COST
        assert "usage:estimated" in row.findings


async def test_a_stream_that_breaks_after_its_count_is_charged_by_it_once(
    opened: Open, provider: ScriptedProvider
) -> None:
    whole_stream = events(("Hel", "lo"), counted=True)
    provider.will(sending(whole_stream[:-1], then=cut))
    async with opened(provider) as gateway:
        assert (await gateway.ask(stream=True)).status == 200
        assert (await gateway.service.row()).cost_micros == COST


async def test_a_port_that_nobody_listens_on_is_passed_over(opened: Open, second: ScriptedProvider) -> None:
    async with ScriptedProvider() as gone:
        address = gone.base_url
    providers = sections(main=address, second=second.base_url)
    async with opened(providers=providers, models={"fast": model_section("main", "second")}) as gateway:
        assert (await gateway.ask()).status == 200
        row = await gateway.service.row()
        assert (row.provider, row.cost_micros) == ("second", COST)


async def test_a_certificate_that_nobody_vouches_for_is_no_provider(
    opened: Open, second: ScriptedProvider, tmp_path: Path
) -> None:
    async with impostor(tmp_path) as (address, heard_of):
        providers = sections(main=address, second=second.base_url)
        async with opened(providers=providers, models={"fast": model_section("main", "second")}) as gateway:
            assert (await gateway.ask()).status == 200
            assert (await gateway.service.row()).provider == "second"
        async with opened(
            providers=sections(main=address), models={"fast": model_section("main")}
        ) as gateway:
            heard = await gateway.ask()
            assert (heard.status, heard.error["code"]) == (502, "upstream_unreachable")
        assert heard_of == []


async def test_plain_http_where_tls_was_meant_is_unreachable(
    opened: Open, provider: ScriptedProvider
) -> None:
    address = provider.base_url.replace("http:", "https:")
    async with opened(
        providers=sections("silence", main=address), models={"fast": model_section("main")}
    ) as gateway:
        assert (await gateway.ask()).status in (502, 504)
        assert provider.calls == []


async def test_another_target_answers_within_the_deadline_of_the_call(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(silence)
    providers = sections("silence", main=provider.base_url, second=second.base_url)
    models = fast(to("main"), to("second"), retries={"deadline_seconds": 20})
    async with opened(providers=providers, models=models) as gateway:
        async with asyncio.timeout(20):
            assert (await gateway.ask()).status == 200
        await asyncio.wait_for(provider.last.left.wait(), SECONDS)


async def test_a_circuit_opens_is_probed_and_closes(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(500))
    clock, router = MovedClock(), {"breaker": {"consecutive": 2, "cooldown_seconds": 5}}
    async with opened(provider, second, router=router, clock=clock) as gateway:

        def circuit() -> str:
            found: str = gateway.service.app.state.routing.state()[0].circuit
            return found

        for _ in range(2):
            assert (await gateway.ask()).status == 200
        assert circuit() == "open"
        assert (await gateway.ask()).status == 200
        assert len(provider.calls) == 2
        assert b'gatestack_deployments_shut{service="llm_gateway"} 1' in (await gateway.get("/metrics")).body
        provider.will(completion())
        clock.advance(5)
        assert circuit() == "half_open"
        assert (await gateway.ask()).status == 200
        assert (circuit(), len(provider.calls)) == ("closed", 3)
        skipped = (await gateway.service.rows(4))[2]
        assert skipped.findings == ("skipped:main/real-model-2026-01-01 open",)


async def test_many_callers_of_a_provider_that_is_down_all_get_an_answer(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(503))
    async with opened(provider, second) as gateway:
        heard = await asyncio.gather(*(gateway.ask() for _ in range(20)))
        assert {each.status for each in heard} == {200}
        rows = await gateway.service.rows(20)
        assert sum(row.cost_micros for row in rows) == 20 * COST
        assert len(second.calls) == 20
