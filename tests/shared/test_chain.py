"""What is left of a chain's budget."""

from shared.chain import ChainState
from shared.identity.principal import ChainBudget

STATE = ChainState(micros=30, tokens=500, model_calls=2, tool_calls=9, started=1_000_000)


def test_what_is_left_is_the_budget_less_what_is_used() -> None:
    left = STATE.remaining(ChainBudget(micros=100, tokens=501, model_calls=2, agent_calls=4))
    assert left == ChainBudget(micros=70, tokens=1, model_calls=0, agent_calls=4)


def test_what_is_left_is_never_below_nothing() -> None:
    assert STATE.remaining(ChainBudget(tool_calls=5)).tool_calls == 0


def test_a_dimension_without_a_cap_stays_without() -> None:
    assert STATE.remaining(ChainBudget()) == ChainBudget()


def test_the_narrower_of_two_budgets_counts() -> None:
    state = ChainState(tokens=10, budget=ChainBudget(tokens=20, micros=90))
    assert state.remaining(ChainBudget(tokens=100, micros=50)) == ChainBudget(tokens=10, micros=50)


def test_time_is_used_up_from_the_first_call_on() -> None:
    assert STATE.remaining(ChainBudget(seconds=60), now_us=21_900_000).seconds == 40
    assert STATE.remaining(ChainBudget(seconds=60), now_us=99_000_000).seconds == 0


def test_a_chain_that_has_not_begun_has_all_its_time() -> None:
    assert ChainState().remaining(ChainBudget(seconds=60), now_us=99_000_000).seconds == 60
    assert ChainState().seconds(99_000_000) == 0


def test_a_clock_behind_the_servers_counts_as_no_time() -> None:
    assert STATE.seconds(500_000) == 0
