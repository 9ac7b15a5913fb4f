"""What a call has used ends up in its entry once, by the provider's count or by a guess that says so."""

from llm_gateway.bill import ESTIMATED, Bill
from llm_gateway.formats.openai_chat.stream import OpenAIStream
from llm_gateway.prices import Price
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
