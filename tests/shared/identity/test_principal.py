"""What a delegation may become: deeper by one, never past the nearer of two bounds, never in a circle."""

import msgspec
import pytest

from shared.errors import DelegationRefused
from shared.identity.principal import Bounds
from tests.shared.identity import forge


@pytest.mark.parametrize(("own", "most"), [(None, 2), (2, 2), (5, 2), (2, 5)])
def test_the_nearer_of_the_gateways_depth_and_the_callers_own_counts(own: int | None, most: int) -> None:
    bounded = msgspec.structs.replace(forge.alice("agent:planner"), bounds=Bounds(depth=own))
    second = bounded.through("agent:researcher", max_depth=most)
    assert second.actors == ("user:alice", "agent:planner", "agent:researcher")
    with pytest.raises(DelegationRefused, match="the limit is 2"):
        second.through("agent:writer", max_depth=most)


@pytest.mark.parametrize("again", ["user:alice", "agent:planner", "agent:researcher"])
def test_nobody_is_handed_on_to_twice(again: str) -> None:
    caller = forge.alice("agent:planner", "agent:researcher")
    with pytest.raises(DelegationRefused, match="already part of this chain"):
        caller.through(again, max_depth=9)
