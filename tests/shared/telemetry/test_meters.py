"""The page for Prometheus: what is on it, that it is well formed, and that nobody can make it grow."""

from math import inf

from shared.ledger.entry import Outcome, Usage
from shared.telemetry import Telemetry
from shared.telemetry.series import Counter, Histogram
from tests.support.rows import caller, entry


def page(telemetry: Telemetry) -> list[str]:
    return telemetry.metrics().decode().splitlines()


def counted(**fields: object) -> list[str]:
    telemetry = Telemetry("llm_gateway")
    telemetry.end(entry(**fields), None, sampled=False)  # type: ignore[arg-type]
    return page(telemetry)


def test_a_call_is_counted_by_what_it_was_about_and_how_it_ended() -> None:
    lines = counted(outcome=Outcome.REFUSED, reason="forbidden", duration_us=2000)
    labels = 'service="llm_gateway",kind="model"'
    assert f'gatestack_calls_total{{{labels},outcome="refused",reason="forbidden"}} 1' in lines
    assert f'gatestack_call_seconds_bucket{{{labels},le="0.001"}} 0' in lines
    assert f'gatestack_call_seconds_bucket{{{labels},le="0.0025"}} 1' in lines
    assert f'gatestack_call_seconds_bucket{{{labels},le="+Inf"}} 1' in lines
    assert f"gatestack_call_seconds_sum{{{labels}}} 0.002000" in lines


def test_tokens_and_money_are_counted_by_the_model_that_answered() -> None:
    usage = Usage(tokens_in=10, tokens_out=3, cached=4)
    lines = counted(usage=usage, cost_micros=7, model="gpt-x", provider="openai", upstream_us=900)
    used = 'service="llm_gateway",provider="openai",model="gpt-x"'
    assert f'gatestack_tokens_total{{{used},kind="in"}} 10' in lines
    assert f'gatestack_tokens_total{{{used},kind="out"}} 3' in lines
    assert f'gatestack_tokens_total{{{used},kind="cached"}} 4' in lines
    assert f"gatestack_cost_micros_total{{{used}}} 7" in lines
    reached = 'service="llm_gateway",kind="model",target="openai"'
    assert f'gatestack_upstream_calls_total{{{reached},outcome="completed"}} 1' in lines


def test_nobody_is_named() -> None:
    telemetry = Telemetry("llm_gateway")
    who = caller("user:mallory", "evilcorp", team="red", chain="c-4711")
    call = entry(who, model="made-up", resource="sneaky:thing", findings=("own_chain:agent:planner",))
    telemetry.end(call, None, sampled=False)
    text = telemetry.metrics().decode()
    for secret in ("mallory", "evilcorp", "red", "c-4711", "made-up", "sneaky", "planner"):
        assert f'"{secret}' not in text
    assert 'gatestack_findings_total{service="llm_gateway",kind="own_chain"} 1' in text
    assert 'kind="other",outcome="completed"' in text


def test_a_name_with_quotes_and_line_breaks_does_not_break_the_page() -> None:
    lines = counted(usage=Usage(tokens_in=1), model='a"b\\c\nd', provider="p")
    assert any('model="a\\"b\\\\c\\nd"' in line for line in lines)


def test_what_comes_after_the_last_label_set_is_other() -> None:
    counter = Counter("c_total", "c", ("name",), most=2)
    spread = Histogram("h_seconds", "h", (1.0,), ("name",), most=2)
    for number in range(5):
        counter.add((f"n{number}",))
        spread.observe((f"n{number}",), 2.0)
    assert list(counter.samples("s"))[-1] == 'c_total{service="s",name="other"} 3'
    assert 'h_seconds_count{service="s",name="other"} 3' in list(spread.samples("s"))
    assert len(list(counter.samples("s"))) == 3


def test_gauges_are_read_when_the_page_is() -> None:
    telemetry = Telemetry("llm_gateway")
    waiting = [1.0]
    telemetry.gauges["gatestack_x"] = lambda: waiting[0]
    waiting[0] = 5
    assert page(telemetry)[-2:] == ["# TYPE gatestack_x gauge", 'gatestack_x{service="llm_gateway"} 5']
    waiting[0] = inf
    assert page(telemetry)[-1] == 'gatestack_x{service="llm_gateway"} +Inf'
