"""What a process learns of its deployments from its calls."""

import pytest

from llm_gateway.router.state import FORGOTTEN_SECONDS, Average, State, size_class
from shared.attempts import BreakerRule
from tests.llm_gateway.router.targets import target
from tests.llm_gateway.samples import ask
from tests.support.clock import FakeClock


def test_an_average_moves_towards_news_and_forgets_in_the_end() -> None:
    average = Average(30)
    average.add(1.0, now=0)
    assert average.read(0) == 1.0
    average.add(2.0, now=0)
    assert average.read(0) == pytest.approx(1.1)
    average.add(2.0, now=120)
    assert average.read(120) == pytest.approx(1.82)
    assert average.read(120 + FORGOTTEN_SECONDS) is None


def test_calls_are_in_flight_until_their_answer_has_ended() -> None:
    deployment = State(FakeClock()).of(target("a"))
    began = deployment.began()
    deployment.answered(began, "stream")
    assert deployment.in_flight == 1
    deployment.ended()
    assert deployment.in_flight == 0


@pytest.mark.parametrize("report", ["failed", "refused", "abandoned", "broke"])
def test_whatever_becomes_of_a_call_it_is_not_in_flight_any_more(report: str) -> None:
    deployment = State(FakeClock()).of(target("a"))
    deployment.began()
    arguments = {"failed": ("upstream_refused", None), "broke": ("upstream_broken",)}.get(report, ())
    getattr(deployment, report)(*arguments)
    assert deployment.in_flight == 0


def test_latency_is_known_by_the_size_of_the_answer() -> None:
    clock = FakeClock()
    deployment = State(clock).of(target("a"))
    began = deployment.began()
    clock.advance(2)
    deployment.answered(began, "long")
    assert (deployment.latency("long"), deployment.latency("stream")) == (2, None)


def test_answers_that_break_again_and_again_open_the_circuit_although_each_began_well() -> None:
    deployment = State(FakeClock(), BreakerRule(minimum_calls=6)).of(target("a"))
    for _ in range(3):
        deployment.answered(deployment.began(), "stream")
        deployment.broke("upstream_broken")
    assert deployment.circuit.state == "open"


def test_an_operator_sees_all_of_it() -> None:
    clock = FakeClock()
    state = State(clock, BreakerRule(consecutive=1))
    state.of(target("b")).began()
    failing = state.of(target("a"))
    failing.began()
    failing.failed("upstream_timeout", None)
    first, second = state.state()
    assert (first.name, first.circuit, first.opens_in, first.failures) == ("a/m", "open", 10, 1)
    assert (first.availability, first.last_error) == (0.0, "upstream_timeout")
    assert (second.name, second.circuit, second.in_flight, second.availability) == ("b/m", "closed", 1, 1.0)
    assert state.shut() == 1


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"stream": True, "tokens_out": 9}, "stream"),
        ({}, "unsaid"),
        ({"tokens_out": 256}, "short"),
        ({"tokens_out": 257}, "medium"),
        ({"tokens_out": 4_000}, "long"),
    ],
)
def test_the_size_of_an_answer_is_what_its_caller_allows(fields: dict[str, int], size: str) -> None:
    assert size_class(ask(**fields)) == size
