"""What a call has used ends up in its entry once, by the provider's count or by a guess that says so."""

import msgspec
import pytest

from llm_gateway.bill import ESTIMATED, UNPRICED, Bill
from llm_gateway.formats.anthropic.stream import AnthropicStream
from llm_gateway.formats.gemini.stream import GeminiStream
from llm_gateway.formats.openai_chat.stream import OpenAIStream
from llm_gateway.formats.openai_responses.stream import ResponsesStream
from llm_gateway.prices import UNKNOWN, Price, Tier
from shared.ledger.entry import Entry, Usage
from tests.llm_gateway.samples import ask, target
from tests.support.clock import FakeClock
from tests.support.providers import chunk

TARGET = target(price=Price(tokens_in=1_000_000, tokens_out=2_000_000))


def opened() -> tuple[Bill, Entry, FakeClock]:
    entry, clock = Entry(id="e1", service="llm_gateway", started_at=0), FakeClock()
    return Bill(entry, ask(tokens_in=10), clock), entry, clock


def test_the_providers_count_is_what_is_paid() -> None:
    bill, entry, clock = opened()
    bill.open(TARGET)
    bill.whole(Usage(tokens_in=7, tokens_out=3), 4_000)
    clock.advance(1.5)
    bill.write()
    assert (entry.usage.tokens_in, entry.usage.tokens_out, entry.cost_micros) == (7, 3, 13)
    assert (entry.findings, entry.upstream_us) == ((), 1_500_000)


def test_a_call_nobody_was_asked_for_costs_nothing() -> None:
    bill, entry, _ = opened()
    bill.write()
    assert (entry.usage, entry.cost_micros, entry.findings) == (Usage(), 0, ())


def test_a_target_that_failed_costs_nothing() -> None:
    bill, entry, _ = opened()
    bill.open(TARGET)
    bill.void()
    bill.write()
    assert (entry.usage, entry.cost_micros) == (Usage(), 0)


def test_a_call_left_before_its_answer_costs_its_input() -> None:
    bill, entry, _ = opened()
    bill.open(TARGET)
    bill.write()
    assert (entry.usage.tokens_in, entry.usage.tokens_out) == (10, 0)
    assert entry.findings == (ESTIMATED,)


def test_a_stream_left_in_the_middle_costs_what_had_come() -> None:
    bill, entry, _ = opened()
    reader = OpenAIStream(show_usage=False)
    bill.open(TARGET)
    bill.streaming(reader)
    for _ in range(5):
        reader.feed(chunk({"content": "word"}))
    bill.write()
    assert (entry.usage.tokens_out, entry.cost_micros) == (5, 20)
    assert entry.findings == (ESTIMATED,)


def test_what_comes_after_the_bill_is_not_on_it() -> None:
    bill, entry, _ = opened()
    bill.open(TARGET)
    bill.whole(Usage(tokens_in=1), 0)
    bill.write()
    bill.open(TARGET)
    bill.write()
    assert (entry.usage.tokens_in, entry.findings) == (1, ())


WORDS = ("Once ", "upon ", "a ", "time ", "there ", "was ")


def named(kind: str, **members: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + msgspec.json.encode({"type": kind} | members) + b"\n\n"


def anthropic() -> list[bytes]:
    start = {"id": "m", "type": "message", "usage": {"input_tokens": 25, "output_tokens": 1}}
    begun = [
        named("message_start", message=start),
        named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ]
    deltas = [{"type": "text_delta", "text": word} for word in WORDS]
    return begun + [named("content_block_delta", index=0, delta=delta) for delta in deltas]


def responses() -> list[bytes]:
    answer: dict[str, object] = {
        "id": "r",
        "object": "response",
        "status": "in_progress",
        "output": [],
        "usage": None,
    }
    deltas = [named("response.output_text.delta", delta=word, output_index=0) for word in WORDS]
    return [named("response.created", response=answer), *deltas]


def gemini() -> list[bytes]:
    found = []
    for number, word in enumerate(WORDS):
        candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": word * 6}]}}
        counted = {"promptTokenCount": 25, "candidatesTokenCount": number + 1, "totalTokenCount": 26 + number}
        found.append({"candidates": [candidate], "usageMetadata": counted})
    return [b"data: " + msgspec.json.encode(said) + b"\r\n\r\n" for said in found]


@pytest.mark.parametrize(
    ("reader", "stream", "tokens_in"),
    [
        (OpenAIStream(show_usage=False), [chunk({"content": word}) for word in WORDS], 10),
        (AnthropicStream(), anthropic(), 25),
        (ResponsesStream(), responses(), 10),
        (GeminiStream(), gemini(), 25),
    ],
    ids=["openai_chat", "anthropic", "openai_responses", "gemini"],
)
def test_whoever_leaves_in_the_middle_pays_for_input_and_what_had_come(
    reader: OpenAIStream | AnthropicStream | ResponsesStream | GeminiStream,
    stream: list[bytes],
    tokens_in: int,
) -> None:
    bill, entry, _ = opened()
    bill.open(TARGET)
    bill.streaming(reader)
    for part in stream:
        reader.feed(part)
    assert reader.fault is None
    assert not reader.done
    bill.write()
    assert entry.usage.tokens_in == tokens_in
    assert len(WORDS) <= entry.usage.tokens_out <= 4 * len(WORDS)
    assert entry.cost_micros == tokens_in + 2 * entry.usage.tokens_out


def test_a_price_that_nobody_knows_is_no_silent_zero() -> None:
    bill, entry, _ = opened()
    bill.open(target(price=UNKNOWN))
    bill.whole(Usage(tokens_in=7, tokens_out=3), 0)
    bill.write()
    assert (entry.usage.tokens_in, entry.cost_micros, entry.findings) == (7, 0, (UNPRICED,))


def test_a_price_of_zero_that_was_said_is_one() -> None:
    bill, entry, _ = opened()
    bill.open(target(price=Price()))
    bill.whole(Usage(tokens_in=7), 0)
    bill.write()
    assert (entry.cost_micros, entry.findings) == (0, ())


def test_everything_that_is_counted_is_paid() -> None:
    price = Price(
        tokens_in=1_000_000, cached=0, cache_write=2_000_000, tiers=(Tier(above=99, tokens_in=3_000_000),)
    )
    bill, entry, _ = opened()
    bill.open(target(price=price))
    bill.whole(Usage(tokens_in=100, cached=50, cache_write=10), 0)
    bill.write()
    assert entry.cost_micros == 20 + 3 * 40


@pytest.mark.parametrize(
    ("wish", "micros"), [("priority", 20), ("flex", 10), ("batch", 10), ("default", 10), ("nonsense", 10)]
)
def test_a_wish_makes_a_call_dearer_but_never_cheaper(wish: str, micros: int) -> None:
    body = b'{"service_tier":"%s"}' % wish.encode()
    asked = ask(body=body, spans={"service_tier": (16, len(body) - 1)})
    price = Price(tokens_in=1_000_000, factors={"priority": 200, "flex": 50, "batch": 50})
    entry = Entry(id="e1", service="llm_gateway", started_at=0)
    bill = Bill(entry, asked, FakeClock())
    bill.open(target(price=price))
    bill.whole(Usage(tokens_in=10), 0)
    bill.write()
    assert entry.cost_micros == micros
