"""Every way to fail before the first byte: the next target is tried, after the last comes a clear error."""

import asyncio
from typing import Any

import msgspec
import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PROVIDER_KEY, Gateway, provider_section, request
from tests.support.providers import (
    Behaviour,
    ScriptedProvider,
    completion,
    completion_body,
    cut,
    error,
    sending,
    silence,
    stream,
    whole,
)
from tests.support.wait import SECONDS, eventually

EVENT_STREAM = {"content-type": "text/event-stream"}
# behaviour -> status at the caller when nobody else is left
FAILURES: dict[str, tuple[Behaviour, int]] = {
    "401": (error(401, message=f"Incorrect API key provided: {PROVIDER_KEY}"), 502),
    "403": (error(403), 502),
    "404": (error(404), 502),
    "429": (error(429, retry_after=7), 429),
    "500": (error(500), 502),
    "503": (error(503), 503),
    "529": (error(529), 503),
    "redirect": (whole(b"", status=307, headers={"location": "http://127.0.0.1:9/"}), 502),
    "html": (whole(b"<html>hello</html>"), 502),
    "truncated": (whole(completion_body()[:50]), 502),
    "another object": (whole(b'{"hello":"world"}'), 502),
    "list": (whole(b"[]"), 502),
    "error at 200": (whole(b'{"error":{"message":"no"}}'), 502),
    "compressed": (whole(b"\x1f\x8b\x08\x00", headers={"content-encoding": "gzip"}), 502),
    "connection cut": (cut, 502),
    "cut in the body": (whole(b"{", headers={"content-length": 5_000}), 502),
}
STREAM_FAILURES: dict[str, tuple[Behaviour, int]] = {
    "429": (error(429, retry_after=7), 429),
    "500": (error(500), 502),
    "no stream": (completion(), 502),
    "no event": (sending([]), 502),
    "half an event": (sending([b'data: {"cho']), 502),
    "garbage": (sending([b"data: garbage\n\n"]), 502),
    "another object": (sending([b'data: {"hello":"world"}\n\n']), 502),
    "error first": (sending([b'data: {"error":{"message":"no","code":529}}\n\n']), 503),
    "cut before the first event": (sending([], then=cut), 502),
    "html": (whole(b"<html>", headers=EVENT_STREAM), 502),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_without_another_target_is_a_clear_error(
    plain: Gateway, provider: ScriptedProvider, name: str
) -> None:
    behaviour, status = FAILURES[name]
    # A connection that is cut in the middle of a body needs its server to close it.
    provider.will(_closing(behaviour) if name == "cut in the body" else behaviour)
    heard = await plain.ask()
    assert (heard.status, heard.error["type"]) == (status, "upstream_error")
    assert PROVIDER_KEY.encode() not in heard.body
    row = await plain.service.row()
    assert (row.outcome, row.status, row.attempts) == (Outcome.FAILED, status, 1)
    assert (row.tokens_in, row.tokens_out, row.cost_micros) == (0, 0, 0)


@pytest.mark.parametrize("name", FAILURES)
async def test_the_next_target_answers_instead(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, name: str
) -> None:
    behaviour, _ = FAILURES[name]
    provider.will(_closing(behaviour) if name == "cut in the body" else behaviour)
    async with opened(provider, second) as gateway:
        heard = await gateway.ask()
        assert (heard.status, heard.body) == (200, completion_body())
        row = await gateway.service.row()
        assert (row.provider, row.attempts, row.outcome) == ("second", 2, Outcome.COMPLETED)


@pytest.mark.parametrize("name", STREAM_FAILURES)
async def test_a_stream_that_does_not_begin_is_a_clear_error(
    plain: Gateway, provider: ScriptedProvider, name: str
) -> None:
    behaviour, status = STREAM_FAILURES[name]
    provider.will(behaviour)
    heard = await plain.ask(stream=True)
    assert (heard.status, heard.error["type"]) == (status, "upstream_error")
    assert (await plain.service.row()).outcome == Outcome.FAILED


@pytest.mark.parametrize("name", STREAM_FAILURES)
async def test_a_stream_that_does_not_begin_begins_elsewhere(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, name: str
) -> None:
    provider.will(STREAM_FAILURES[name][0])
    second.will(stream("from", " the", " second"))
    async with opened(provider, second) as gateway:
        heard = await gateway.ask(stream=True)
        assert heard.status == 200
        assert heard.body.endswith(b"data: [DONE]\n\n")
        assert b"second" in heard.body


async def test_a_refusal_that_is_the_callers_fault_is_not_tried_elsewhere(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(400, message="context too long"))
    async with opened(provider, second) as gateway:
        heard = await gateway.ask()
        assert (heard.status, heard.error["message"]) == (400, "context too long")
        assert second.calls == []
        row = await gateway.service.row()
        assert (row.status, row.reason) == (400, "upstream_refused")


async def test_the_providers_key_is_cut_out_of_its_words(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(error(400, message=f"you sent {PROVIDER_KEY}"))
    assert (await plain.ask()).error["message"] == "you sent ***"


async def test_retry_after_reaches_the_caller_and_the_target_is_left_alone_that_long(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(error(429, retry_after=7), completion())
    assert (await plain.ask()).headers["retry-after"] == "7"
    heard = await plain.ask()
    assert (heard.status, heard.error["code"]) == (503, "unavailable")
    assert 1 <= int(heard.headers["retry-after"]) <= 7
    assert len(provider.calls) == 1


async def test_a_provider_that_nobody_is_at_is_unreachable(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.close()
    heard = await plain.ask()
    assert (heard.status, heard.error["code"]) == (502, "upstream_unreachable")
    assert provider.base_url.encode() not in heard.body


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_provider_that_never_answers_is_given_up(
    opened: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    provider.will(silence)
    section = {"main": provider_section(provider, first_byte_timeout_seconds=0.1)}
    async with opened(provider, providers=section) as gateway:
        heard = await gateway.ask(stream=streamed)
        assert (heard.status, heard.error["code"]) == (504, "upstream_timeout")
        await asyncio.wait_for(provider.last.left.wait(), SECONDS)


async def test_a_stream_whose_first_event_never_comes_is_given_up(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(sending([], then=silence))
    section = {"main": provider_section(provider, first_byte_timeout_seconds=0.1)}
    async with opened(provider, providers=section) as gateway:
        assert (await gateway.ask(stream=True)).status == 504


async def test_a_reply_that_stops_in_the_middle_is_given_up(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(_then(whole(b'{"choices":', headers={"content-length": 5_000}), silence))
    section = {"main": provider_section(provider, idle_timeout_seconds=1)}
    async with opened(provider, providers=section) as gateway:
        assert (await gateway.ask()).status == 504


async def test_a_reply_that_is_too_large_is_refused(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(completion("x" * 10_000))
    async with opened(provider, max_reply_bytes=5_000) as gateway:
        assert (await gateway.ask()).status == 502


async def test_a_caller_that_leaves_takes_the_provider_call_with_it(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(silence)
    asking = asyncio.create_task(plain.ask())
    await eventually(lambda: provider.calls)
    asking.cancel()
    await asyncio.wait_for(provider.last.left.wait(), SECONDS)
    row = await plain.service.row()
    assert (row.outcome, row.tokens_out, row.findings) == (Outcome.CLIENT_GONE, 0, ("usage:estimated",))
    assert row.tokens_in > 0


async def test_failures_in_a_row_open_the_breaker(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(error(500))
    heard = [await plain.ask() for _ in range(6)]
    assert [each.status for each in heard] == [502] * 5 + [503]
    assert len(provider.calls) == 5


async def test_a_header_that_a_caller_sends_twice_is_no_reason_to_fail(plain: Gateway) -> None:
    headers = [*plain.identity().items(), ("openai-beta", "a"), ("openai-beta", "b")]
    async with await plain.http.send(
        "POST", plain.url + "/v1/chat/completions", headers=headers, body=msgspec.json.encode(request())
    ) as reply:
        assert reply.status == 200


def _then(first: Behaviour, second: Behaviour) -> Behaviour:
    async def behave(call: Any) -> None:
        await first(call)
        await second(call)

    return behave


def _closing(first: Behaviour) -> Behaviour:
    return _then(first, cut)
