"""Orphans, loops and forks of a chain are told, and a chain that is as it should be has none."""

from msgspec import Struct

from api_gateway.chain_flags import flags

ALICE, PLANNER = ("user:alice",), ("user:alice", "agent:planner")


class Row(Struct, frozen=True):
    id: str
    parent: str
    actors: tuple[str, ...] = ALICE
    resource: str = "route:agents"
    reason: str = ""


SOUND = [
    Row("a", ""),
    Row("b", "a", resource="agent:planner/skill/plan"),
    Row("c", "b", PLANNER, "route:llm"),
    Row("d", "c", PLANNER, "model:fast"),
]


def kinds(*rows: Row) -> list[tuple[str, str]]:
    return [(flag.kind, flag.entry) for flag in flags([*SOUND, *rows])]


def test_nothing_is_odd_about_a_sound_chain() -> None:
    assert kinds() == []


def test_what_has_lost_its_parent_is_an_orphan() -> None:
    assert kinds(Row("x", "lost")) == [("orphan", "x")]


def test_what_hangs_below_itself_is_a_loop() -> None:
    assert kinds(Row("x", "y"), Row("y", "x")) == [("loop", "x"), ("loop", "y")]


def test_a_call_back_to_an_agent_of_the_chain_is_a_loop() -> None:
    again = Row("x", "d", PLANNER, "agent:planner", "delegation")
    assert kinds(again) == [("loop", "x")]


def test_a_second_beginning_is_a_fork() -> None:
    assert kinds(Row("x", "")) == [("fork", "x")]


def test_somebody_whom_nobody_had_handed_on_to_is_a_fork() -> None:
    stranger = Row("x", "b", ("user:alice", "agent:sly"), "model:fast")
    other = Row("y", "d", ("user:bob",), "model:fast")
    assert kinds(stranger, other) == [("fork", "x"), ("fork", "y")]


def test_a_refusal_of_somebody_unknown_is_no_fork() -> None:
    assert kinds(Row("x", "a", ())) == []
