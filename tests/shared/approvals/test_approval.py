"""What a decision is bound to, and who may make it."""

import pytest

from shared.approvals import may_decide
from shared.approvals.approval import digest
from tests.shared.approvals.asking import ASKED
from tests.support.serve import someone


def test_the_order_of_members_is_no_part_of_arguments_and_everything_else_is() -> None:
    assert digest(b'{"a": 1, "b": {"c": [1, 2], "d": 1.0}}') == digest(b'{"b":{"d":1.0,"c":[1,2]},"a":1}')
    different = [
        b'{"a":1}',
        b'{"a":1.0}',
        b'{"a":"1"}',
        b'{"a":1,"a":1}',
        b'{"a":2,"a":1}',
        b"[1]",
        b"[1 ]x",
        b"",
    ]
    assert len({digest(one) for one in different}) == len(different)
    huge = b'{"a": 0.1000000000000000055511151231257827}'
    assert digest(huge) != digest(b'{"a": 0.1}')


@pytest.mark.parametrize(
    "actors",
    [
        pytest.param(("user:alice",), id="whose chain it is"),
        pytest.param(("agent:planner",), id="the agent itself"),
        pytest.param(("agent:other",), id="any agent"),
        pytest.param(("user:bob", "agent:other"), id="somebody through an agent"),
        pytest.param(("user:alice", "agent:planner"), id="the chain itself"),
    ],
)
def test_nobody_decides_on_their_own_call_and_no_agent_on_any(actors: tuple[str, ...]) -> None:
    assert may_decide(someone(*actors), ASKED)


def test_somebody_else_decides() -> None:
    assert may_decide(someone("user:bob"), ASKED) == ""
    assert may_decide(someone("service:chatops"), ASKED) == ""
