"""The kill switch: what is refused, what is cut, in which order, and what happens when nobody can tell."""

from collections.abc import Callable

import msgspec
import pytest

from shared.errors import GatestackError, Killed, Stopping, Unavailable
from shared.identity.principal import Caller, Principal
from shared.kill import DIMENSIONS, Kill, KillSwitch
from shared.ledger.entry import Entry
from tests.support.clock import FakeClock


class Source:
    """Snapshots whose age a test sets."""

    def __init__(self) -> None:
        self.age = 0.0
        self.apply: Callable[[bytes, int], None] | None = None

    def on(self, name: str, apply: Callable[[bytes, int], None]) -> None:
        assert name == "kills"
        self.apply = apply

    def fresh(self, name: str) -> float:
        assert name == "kills"
        return self.age


class World:
    def __init__(self) -> None:
        self.source = Source()
        self.revoked: set[str] = set()
        self.switch = KillSwitch(self.source, FakeClock(), revoked=self.revoked.__contains__)
        self.cut: list[tuple[str, GatestackError]] = []
        self.epoch = 0

    def order(self, *selectors: dict[str, str], reason: str = "") -> None:
        kills = [Kill(id=str(n), selector=selector, reason=reason) for n, selector in enumerate(selectors)]
        self.epoch += 1
        assert self.source.apply is not None
        self.source.apply(msgspec.json.encode(kills), self.epoch)

    def open(self, entry: Entry) -> int:
        return self.switch.enter(entry, lambda error: self.cut.append((entry.id, error)))


@pytest.fixture
def world() -> World:
    return World()


def call(name: str, *agents: str, sub: str = "user:alice", **facts: str) -> Entry:
    caller = Caller(
        principal=Principal(sub=sub, tenant="acme"),
        actors=(sub, *agents),
        chain="c1",
        credential="key",
        key="k1",
    )
    return msgspec.convert(
        {"id": name, "service": "s", "started_at": 0, "caller": caller, **facts}, Entry, from_attributes=True
    )


def test_nothing_is_refused_while_nothing_is_killed(world: World) -> None:
    world.switch.check(call("e1"))
    world.order()
    world.switch.check(call("e1"))
    assert world.switch.epoch == 1


def test_a_killed_call_is_refused_with_the_operators_reason(world: World) -> None:
    world.order({"agent": "planner"}, reason="it deletes files")
    world.switch.check(call("e1"))
    with pytest.raises(Killed, match="stopped by an operator: it deletes files"):
        world.switch.check(call("e2", "agent:planner"))


def test_lifting_a_kill_lets_calls_through_again(world: World) -> None:
    world.order({"all": "*"})
    with pytest.raises(Killed):
        world.switch.check(call("e1"))
    world.order()
    world.switch.check(call("e1"))


def test_a_call_is_refused_by_a_fact_that_it_gets_later(world: World) -> None:
    world.order({"model": "gpt-*"})
    entry = call("e1")
    world.switch.check(entry)
    entry.model = "gpt-5"
    with pytest.raises(Killed):
        world.switch.check(entry)


@pytest.mark.parametrize(
    "selector",
    [
        {"agent": "planner"},
        {"agent": "pla*"},
        {"tenant": "acme", "agent": "*"},
        {"user": "*", "agent": "planner"},
    ],
    ids=str,
)
def test_literal_and_pattern_selectors_find_the_same_call(world: World, selector: dict[str, str]) -> None:
    others: list[dict[str, str]] = [{"agent": f"other-{n}"} for n in range(50)] + [
        {"agent": f"other-{n}*"} for n in range(5)
    ]
    world.order(*others, selector)
    world.switch.check(call("e1"))
    with pytest.raises(Killed):
        world.switch.check(call("e2", "agent:planner"))


def test_an_order_behind_another_of_the_same_name_is_obeyed_too(world: World) -> None:
    world.order({"agent": "planner", "tenant": "other"}, {"agent": "planner", "tenant": "acme"})
    with pytest.raises(Killed):
        world.switch.check(call("e1", "agent:planner"))


def test_what_is_in_flight_is_cut_and_the_rest_goes_on(world: World) -> None:
    world.open(call("e1"))
    world.open(call("e2", "agent:planner"))
    gone = world.open(call("e3", "agent:planner"))
    world.open(call("e4", "agent:planner", "agent:researcher"))
    world.switch.leave(gone)
    world.order({"agent": "planner"}, reason="why")
    assert [name for name, _ in world.cut] == ["e2", "e4"]
    assert all(isinstance(error, Killed) and error.detail.endswith(": why") for _, error in world.cut)


def test_flights_are_cut_in_the_order_they_came(world: World) -> None:
    for number in range(200):
        world.open(call(f"e{number}"))
    world.order({"tenant": "acme"})
    assert [name for name, _ in world.cut] == [f"e{number}" for number in range(200)]


def test_a_flight_may_leave_while_it_is_being_cut(world: World) -> None:
    tokens: list[int] = []
    entries = [call("e1"), call("e2")]
    for entry in entries:
        tokens.append(world.switch.enter(entry, lambda _: [world.switch.leave(token) for token in tokens]))  # type: ignore[arg-type, func-returns-value]
    world.order({"all": "*"})
    assert world.switch.hits({"all": "*"}) == []


def test_a_flight_that_cannot_be_cut_does_not_save_the_others(world: World) -> None:
    def stubborn(_: GatestackError) -> None:
        raise RuntimeError("no")

    world.switch.enter(call("e1"), stubborn)
    world.open(call("e2"))
    with pytest.raises(ExceptionGroup):
        world.order({"all": "*"})
    assert [name for name, _ in world.cut] == ["e2"]
    with pytest.raises(Killed):
        world.switch.check(call("e3"))


def test_a_dry_run_tells_what_would_be_cut_and_cuts_nothing(world: World) -> None:
    one, two = call("e1"), call("e2", "agent:planner")
    world.open(one)
    token = world.open(two)
    assert world.switch.hits({"agent": "planner"}) == [two]
    assert world.switch.hits({"all": "*"}) == [one, two]
    world.switch.leave(token)
    assert world.switch.hits({"agent": "planner"}) == []
    assert world.cut == []
    with pytest.raises(ValueError, match="known: "):
        world.switch.hits({"usr": "x"})


def test_what_is_in_flight_with_a_revoked_key_is_cut_and_nothing_more_of_it_begins(world: World) -> None:
    world.open(call("e1"))
    world.open(Entry(id="e2", service="s", started_at=0))
    world.switch.keys_changed()
    assert world.cut == []
    world.revoked.add("k1")
    world.switch.keys_changed()
    [(name, error)] = world.cut
    assert (name, error.detail) == ("e1", "the key that this call was started with has been revoked")
    with pytest.raises(Killed):
        world.switch.check(call("e3"))


def test_stopping_ends_whatever_is_open_and_says_why(world: World) -> None:
    world.open(call("e1"))
    world.open(Entry(id="e2", service="s", started_at=0))
    world.switch.stop()
    assert [(name, type(error)) for name, error in world.cut] == [("e1", Stopping), ("e2", Stopping)]


def test_a_list_that_nobody_can_confirm_refuses_everything(world: World) -> None:
    world.order()
    world.source.age = 10.0
    world.switch.check(call("e1"))
    world.source.age = 10.1
    with pytest.raises(Unavailable):
        world.switch.check(call("e1"))
    world.source.age = float("inf")
    with pytest.raises(Unavailable):
        world.switch.check(call("e1"))
    world.source.age = 0.0
    world.switch.check(call("e1"))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'[{"id":"k"}]',
        b'[{"id":"k","selector":{}}]',
        b'[{"id":"k","selector":{"planet":"earth"}}]',
        b'[{"id":"k","selector":{"agent":5}}]',
        b'[{"id":"k","selector":{"agent":"planner"}},{"id":"l","selector":{"agent":""}}]',
    ],
)
def test_a_list_that_cannot_be_obeyed_is_refused_whole_and_the_old_one_stays(
    world: World, payload: bytes
) -> None:
    world.order({"agent": "planner"})
    assert world.source.apply is not None
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        world.source.apply(payload, 9)
    assert world.switch.epoch == 1
    with pytest.raises(Killed):
        world.switch.check(call("e1", "agent:planner"))


def test_a_call_that_nobody_has_identified_yet_can_only_be_stopped_with_all_others(world: World) -> None:
    nobody = Entry(id="e1", service="s", started_at=0)
    world.open(nobody)
    world.order({"tenant": "*"}, {"user": "*"})
    world.switch.check(nobody)
    assert world.cut == []
    world.order({"all": "*"})
    assert [name for name, _ in world.cut] == ["e1"]


def test_the_dimensions_are_those_of_the_design() -> None:
    named = {"tenant", "user", "agent", "key", "chain", "model", "provider", "tool", "server", "skill", "all"}
    assert set(DIMENSIONS) == named | {"team", "project", "principal", "delegation"}
