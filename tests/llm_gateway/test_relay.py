"""Streams: what goes out when, what is missing, and how each of the ways to end one looks from both sides."""

import asyncio

import msgspec
import pytest

from shared import sse
from shared.http_client import Reply
from shared.ledger.entry import Entry, Outcome
from shared.limits.limiter import Lease
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import COST, PROVIDER_KEY, Gateway, provider_section, request
from tests.support.providers import (
    DONE,
    ScriptedProvider,
    chunk,
    cut,
    events,
    held,
    sending,
    silence,
    stream,
)
from tests.support.serve import rows
from tests.support.wait import SECONDS, eventually

PIECES = ("Hel", "lo \N{SNOWMAN} ", "there")


async def test_a_stream_passes_with_its_bytes_and_without_the_usage_nobody_asked_for(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(stream(*PIECES))
    heard = await plain.ask(stream=True)
    sent = events(PIECES, counted=True)
    assert heard.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert heard.body == b"".join([*sent[:-2], DONE])
    row = await plain.service.row()
    assert (row.outcome, row.tokens_in, row.tokens_out, row.cost_micros) == (Outcome.COMPLETED, 20, 8, COST)
    assert row.findings == ()


async def test_who_asks_for_usage_sees_it(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(stream(*PIECES))
    heard = await plain.ask(stream=True, stream_options={"include_usage": True})
    assert heard.body == b"".join(events(PIECES, counted=True))


async def test_a_provider_that_cannot_count_streams_is_estimated(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(stream(*["word"] * 40))
    section = {"main": provider_section(provider, counts_streams=False)}
    async with opened(provider, providers=section) as gateway:
        heard = await gateway.ask(stream=True)
        assert heard.body == b"".join(events(["word"] * 40, counted=False))
        assert "stream_options" not in provider.last.json
        row = await gateway.service.row()
        assert row.findings == ("usage:estimated",)
        assert 40 <= row.tokens_out <= 50


@pytest.mark.parametrize("size", [1, 7, 63, 1_000_000])
async def test_awkward_borders_between_chunks_change_nothing(
    plain: Gateway, provider: ScriptedProvider, size: int
) -> None:
    sent = events(PIECES, counted=True)
    wire = b"".join(sent)
    provider.will(sending([wire[at : at + size] for at in range(0, len(wire), size)]))
    heard = await plain.ask(stream=True)
    assert heard.body == b"".join([*sent[:-2], DONE])


async def test_the_first_event_leaves_before_the_provider_has_finished(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    gate, sent = asyncio.Event(), events(PIECES, counted=False)
    provider.will(held(sent[:1], gate, sent[1:]))
    async with await plain.send(request(stream=True)) as reply:
        chunks = aiter(reply.chunks())
        assert await asyncio.wait_for(anext(chunks), SECONDS) == sent[0]
        assert not provider.last.over.is_set()
        gate.set()
        assert b"".join([part async for part in chunks]) == b"".join(sent[1:])


async def test_no_whole_event_is_held_back_by_half_of_the_next(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    gate, sent = asyncio.Event(), events(PIECES, counted=False)
    provider.will(held([sent[0] + sent[1] + sent[2][:15]], gate, [sent[2][15:], *sent[3:]]))
    async with await plain.send(request(stream=True)) as reply:
        chunks = aiter(reply.chunks())
        seen = b""
        while len(seen) < len(sent[0] + sent[1]):
            seen += await asyncio.wait_for(anext(chunks), SECONDS)
        assert seen == sent[0] + sent[1]
        gate.set()
        assert b"".join([part async for part in chunks]) == b"".join(sent[2:])


async def test_the_row_is_durable_before_the_last_event_is_out(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(stream(*PIECES))
    async with await plain.send(request(stream=True)) as reply:
        async for part in reply.chunks():
            if part.endswith(DONE):
                [row] = await rows(plain.service.parts.redis)
                assert row.outcome == Outcome.COMPLETED
                return
    raise AssertionError("the stream never ended")


async def test_only_the_last_event_waits_for_the_row(
    plain: Gateway, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, durable = events(PIECES, counted=False), asyncio.Event()
    ledger = plain.service.parts.account.ledger
    close = ledger.close

    async def late(entry: Entry, lease: Lease | None) -> None:
        await durable.wait()
        await close(entry, lease)

    monkeypatch.setattr(ledger, "close", late)
    provider.will(sending([b"".join(sent)]))
    async with await plain.send(request(stream=True)) as reply:
        chunks, heard = aiter(reply.chunks()), b""
        while len(heard) < len(b"".join(sent[:-1])):
            heard += await asyncio.wait_for(anext(chunks), SECONDS)
        assert heard == b"".join(sent[:-1])
        durable.set()
        assert b"".join([part async for part in chunks]) == sent[-1] == DONE


async def test_a_stream_that_is_cut_ends_with_an_error_event(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    sent = events(PIECES, counted=True)
    provider.will(sending(sent[:3], then=cut))
    heard = await plain.ask(stream=True)
    assert heard.status == 200
    assert heard.body.startswith(b"".join(sent[:3]))
    assert last_error(heard.body)["code"] == "upstream_broken"
    row = await plain.service.row()
    assert (row.outcome, row.reason, row.findings) == (
        Outcome.BROKEN,
        "upstream_broken",
        ("usage:estimated",),
    )
    assert row.tokens_out > 0


async def test_a_stream_that_ends_without_its_end_is_broken(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(sending(events(PIECES, counted=False)[:-1]))
    heard = await plain.ask(stream=True)
    assert last_error(heard.body)["code"] == "upstream_broken"
    assert (await plain.service.row()).outcome == Outcome.BROKEN


async def test_a_stream_that_goes_silent_is_ended(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(sending(events(PIECES, counted=False)[:2], then=silence))
    section = {"main": provider_section(provider, idle_timeout_seconds=1)}
    async with opened(provider, providers=section) as gateway:
        heard = await gateway.ask(stream=True)
        assert last_error(heard.body)["code"] == "upstream_timeout"
        assert (await gateway.service.row()).outcome == Outcome.BROKEN


async def test_an_error_event_of_the_provider_is_the_callers_last_event(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    theirs = b'data: {"error":{"message":"overloaded ' + PROVIDER_KEY.encode() + b'","code":null}}\n\n'
    gate = asyncio.Event()
    provider.will(held([chunk({"content": "a"})], gate, [chunk({"content": "b"}) + theirs]))
    async with await plain.send(request(stream=True)) as reply:
        seen = await first_bytes(reply)
        gate.set()
        seen += await reply.read(2**20)
    assert seen.startswith(chunk({"content": "a"}) + chunk({"content": "b"}))
    assert last_error(seen) == {"message": "overloaded ***", "code": None}
    row = await plain.service.row()
    assert (row.outcome, row.reason) == (Outcome.BROKEN, "upstream_refused")


async def test_no_target_is_tried_after_the_first_byte(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(sending(events(PIECES, counted=True)[:2], then=cut))
    async with opened(provider, second) as gateway:
        heard = await gateway.ask(stream=True)
        assert last_error(heard.body)["code"] == "upstream_broken"
        assert second.calls == []


async def test_a_caller_that_leaves_mid_stream_ends_the_providers_work(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(sending(events(["word"] * 10, counted=False)[:-1], then=silence))
    reply = await plain.send(request(stream=True))
    await first_bytes(reply)
    await reply.close()
    await asyncio.wait_for(provider.last.left.wait(), SECONDS)
    row = await plain.service.row()
    assert (row.outcome, row.findings) == (Outcome.CLIENT_GONE, ("usage:estimated",))
    assert row.tokens_in > 0
    assert row.tokens_out > 0
    assert row.cost_micros > 0


async def test_a_kill_ends_a_stream_with_an_error_in_its_own_words(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(sending(events(PIECES, counted=False)[:2], then=silence))
    async with await plain.send(request(stream=True)) as reply:
        seen = await first_bytes(reply)
        await plain.edge.kill(plain.service.parts, model="fast")
        seen += await reply.read(2**20)
    assert last_error(seen)["code"] == "killed"
    await asyncio.wait_for(provider.last.left.wait(), SECONDS)
    row = await plain.service.row()
    assert (row.outcome, row.reason, row.findings) == (Outcome.KILLED, "killed", ("usage:estimated",))


async def test_a_providers_connection_is_used_again_after_a_stream(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    for _ in range(3):
        await plain.ask(stream=True)
        await eventually(provider.last.over.is_set)
    assert provider.connections == 1


async def first_bytes(reply: Reply) -> bytes:
    return await asyncio.wait_for(anext(aiter(reply.chunks())), SECONDS)


def last_error(body: bytes) -> dict[str, object]:
    """The error in the last event of a stream."""
    last = sse.SseSplitter().feed(body)[-1]
    found: dict[str, object] = msgspec.json.decode(sse.data_of(last))["error"]
    return found
