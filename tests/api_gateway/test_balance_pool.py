"""Who gets requests as replicas come, fail, warm up and go."""

import pytest

from api_gateway.balance.pool import Pool
from api_gateway.balance.replica import Replica
from api_gateway.balance.retry import RetryBudget, after_status
from api_gateway.balance.settings import Balance, Ejection, Probe, Retry
from api_gateway.balance.split import Arm, Split
from shared.egress import Destination
from shared.errors import Unavailable, UpstreamTimeout, UpstreamUnreachable
from tests.support.clock import FakeClock
from tests.support.exchange import exchange
from tests.support.serve import someone

NAME = "dns:http://shop:80"
CALLER = someone()


def _there(*numbers: int) -> list[Destination]:
    return [Destination("http://shop:80", "http", "shop", 80, f"10.0.0.{number}") for number in numbers]


def _pool(clock: FakeClock, *numbers: int, inner: bool = False, **rule: object) -> Pool:
    pool = Pool([NAME], Balance(strategy="round_robin", **rule), clock, inner=inner)  # type: ignore[arg-type]
    pool.settle(NAME, _there(*numbers))
    return pool


def _taken(pool: Pool, count: int) -> list[str]:
    """The last part of each address that was chosen."""
    found = []
    for _ in range(count):
        replica = pool.take(exchange(), CALLER)
        pool.give(replica)
        found.append(_number(replica))
    return found


def _number(replica: Replica) -> str:
    assert replica.pinned is not None
    return replica.pinned.ip.rpartition(".")[2]


def _fail(pool: Pool, number: int, times: int) -> None:
    [replica] = [one for one in pool.members if _number(one) == str(number)]
    for _ in range(times):
        pool.failed(replica)


def test_a_replica_that_leaves_gets_nothing_more_and_goes_when_it_is_done() -> None:
    pool = _pool(FakeClock(), 1, 2)
    last = pool.take(exchange(), CALLER)
    pool.settle(NAME, [one for one in _there(1, 2) if one != last.pinned])
    assert pool.seen().draining == 1
    assert _number(last) not in _taken(pool, 10)
    pool.give(last)
    assert pool.seen().draining == 0
    assert last not in pool.members


def test_a_replica_that_comes_back_while_it_drains_is_the_same_one() -> None:
    pool = _pool(FakeClock(), 1)
    last = pool.take(exchange(), CALLER)
    pool.settle(NAME, _there(2))
    pool.settle(NAME, _there(1, 2))
    assert last in pool.members
    assert pool.seen().ready == 2


def test_asking_dns_again_changes_nothing_while_its_answer_is_the_same() -> None:
    pool = _pool(FakeClock(), 1, 2, 3)
    found = []
    for _ in range(9):
        pool.settle(NAME, _there(1, 2, 3))
        found += _taken(pool, 1)
    assert sorted(found) == sorted("123" * 3)


def test_a_new_replica_warms_up() -> None:
    clock = FakeClock()
    pool = _pool(clock, 1, 2, slow_start_seconds=10)
    pool.settle(NAME, _there(1, 2, 3))
    assert _taken(pool, 42).count("3") == 2
    clock.advance(5)
    assert 18 <= _taken(pool, 100).count("3") <= 22
    clock.advance(5)
    assert _taken(pool, 30).count("3") == 10


def test_an_ejected_replica_comes_back_slowly_and_is_away_longer_each_time() -> None:
    clock = FakeClock()
    pool = _pool(clock, 1, 2, 3, slow_start_seconds=10, ejection=Ejection(consecutive=3, seconds=10))
    _fail(pool, 1, 2)
    assert pool.seen().ejected == 0
    _fail(pool, 1, 1)
    assert pool.seen().ejected == 1
    assert "1" not in _taken(pool, 20)
    clock.advance(11)
    assert 0 < _taken(pool, 42).count("1") < 5
    _fail(pool, 1, 3)
    clock.advance(11)
    assert "1" not in _taken(pool, 20)
    clock.advance(10)
    assert "1" in _taken(pool, 30)


def test_a_replica_that_has_stayed_well_starts_again_with_a_short_pause() -> None:
    clock = FakeClock()
    pool = _pool(clock, 1, 2, ejection=Ejection(consecutive=1, seconds=10))
    [first, _] = pool.members
    pool.failed(first)
    clock.advance(21)
    pool.succeeded(first)
    pool.failed(first)
    clock.advance(11)
    assert pool.seen().ejected == 0


def test_never_more_than_a_share_is_ejected() -> None:
    pool = _pool(FakeClock(), 1, 2, 3, 4, ejection=Ejection(consecutive=1, max_share=0.5))
    for number in (1, 2, 3, 4):
        _fail(pool, number, 1)
    assert pool.seen().ejected == 2
    assert set(_taken(pool, 20)) == {"3", "4"}


def test_of_inner_gateways_only_silence_counts() -> None:
    pool = _pool(FakeClock(), 1, 2, inner=True, ejection=Ejection(consecutive=1))
    assert not pool.outliers.bad(502)
    pool.blame(pool.members[0], UpstreamTimeout("slow"))
    assert pool.seen().ejected == 0
    pool.blame(pool.members[0], UpstreamUnreachable("gone"))
    assert pool.seen().ejected == 1


def test_checks_take_a_replica_out_and_bring_it_back() -> None:
    pool = _pool(FakeClock(), 1, 2, health=Probe(rise=2, fall=3))
    first = pool.members[0]
    for well in (False, False, True, False, False):
        pool.probed(first, well)
    assert pool.seen().down == 0
    pool.probed(first, False)
    assert pool.seen().down == 1
    assert "1" not in _taken(pool, 10)
    pool.probed(first, True)
    assert pool.seen().down == 1
    pool.probed(first, True)
    assert pool.seen().ready == 2


def test_when_nobody_is_well_the_caller_hears_when_to_come_back() -> None:
    pool = _pool(FakeClock(), 1, health=Probe(fall=1))
    pool.probed(pool.members[0], False)
    with pytest.raises(Unavailable) as refused:
        pool.take(exchange(), CALLER)
    assert refused.value.retry_after is not None


def test_those_that_failed_lately_are_better_than_nobody() -> None:
    pool = _pool(FakeClock(), 1, ejection=Ejection(consecutive=1, max_share=1))
    _fail(pool, 1, 1)
    assert pool.seen().ejected == 1
    assert _taken(pool, 1) == ["1"]


def test_weights_are_by_address() -> None:
    rule = Balance(strategy="weighted", weights={"http://a/": 3})
    pool = Pool(["http://a", "http://b"], rule, FakeClock())
    urls = [pool.take(exchange(), CALLER).url for _ in range(8)]
    assert urls.count("http://a") == 6


def test_a_storm_of_failures_is_not_answered_with_a_storm_of_retries() -> None:
    budget = RetryBudget(Retry(attempts=2, share=0.1, burst=3))
    assert [budget.spend(1) for _ in range(5)] == [True, True, True, False, False]
    for _ in range(11):
        budget.earn()
    assert budget.spend(1)
    assert not budget.spend(3)


@pytest.mark.parametrize(
    ("method", "headers", "inner", "again"),
    [
        ("GET", {}, False, True),
        ("POST", {}, False, False),
        ("POST", {"idempotency-key": "1"}, False, False),
        ("PUT", {}, False, False),
        ("PUT", {"idempotency-key": "1"}, False, True),
        ("GET", {}, True, False),
    ],
)
def test_only_what_may_be_done_twice_is_repeated(
    method: str, headers: dict[str, str], inner: bool, again: bool
) -> None:
    assert after_status(exchange(method=method, headers=headers), 503, inner=inner) is again


def _split(percent: float, *, sticky: bool = True, canary: str = "http://new") -> Split:
    rule = Balance(health=Probe(fall=1)) if canary != "http://new" else Balance()
    arm = Arm(
        name="new",
        pool=Pool([canary], rule, FakeClock()),
        percent=percent,
        headers=(("x-canary", "1"),),
    )
    return Split("shop", Pool(["http://old"], Balance(), FakeClock()), [arm], sticky=sticky)


def test_a_canary_keeps_its_callers_when_its_share_grows() -> None:
    callers = [someone(f"user:{n}") for n in range(1000)]
    small, large = (
        {one.principal.sub for one in callers if _split(percent).choose(exchange(), one).only == "http://new"}
        for percent in (10, 30)
    )
    assert 60 < len(small) < 140
    assert 240 < len(large) < 360
    assert small < large


def test_all_of_a_chain_goes_to_one_version() -> None:
    split = _split(50)
    for n in range(50):
        person, agent = someone(f"user:{n}"), someone(f"user:{n}", "agent:planner")
        assert split.choose(exchange(), person) is split.choose(exchange(), agent)


def test_a_canary_can_be_asked_for() -> None:
    wanted = exchange(headers={"x-canary": "1"})
    assert _split(0).choose(wanted, CALLER).only == "http://new"
    assert _split(0).choose(exchange(), CALLER).only == "http://old"


def test_a_canary_that_is_down_loses_its_callers_to_the_main_version() -> None:
    split = _split(100, canary="http://sick")
    arm = split.choose(exchange(), CALLER)
    assert arm.only is None
    arm.probed(arm.members[0], False)
    assert split.choose(exchange(), CALLER).only == "http://old"


def test_without_sticking_each_request_is_drawn_anew() -> None:
    split = _split(50, sticky=False)
    assert len({split.choose(exchange(), CALLER).only for _ in range(60)}) == 2
