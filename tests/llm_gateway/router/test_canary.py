"""Who is on the canary's side stays there."""

import pytest

from llm_gateway.router.canary import chosen
from llm_gateway.router.section import CanarySection
from tests.support.serve import someone

CALLERS = [someone(f"user:{n}") for n in range(2_000)]


@pytest.mark.parametrize("percent", [0, 5, 50, 100])
def test_so_many_percent_are_chosen(percent: float) -> None:
    canary = CanarySection(to="new", percent=percent)
    share = sum(chosen(canary, "fast", caller) for caller in CALLERS) / len(CALLERS)
    assert share == pytest.approx(percent / 100, abs=0.03)


def test_a_principal_is_on_the_same_side_in_every_chain() -> None:
    canary = CanarySection(to="new", percent=50)
    assert len({chosen(canary, "fast", someone("user:alice")) for _ in range(20)}) == 1


def test_sides_may_be_chosen_by_chain_instead() -> None:
    canary = CanarySection(to="new", percent=50, sticky="chain")
    assert len({chosen(canary, "fast", someone("user:alice")) for _ in range(60)}) == 2
    assert len({chosen(canary, "fast", someone("user:alice", chain="c1")) for _ in range(20)}) == 1


def test_a_larger_percentage_only_adds() -> None:
    few = {caller.actor for caller in CALLERS if chosen(CanarySection(to="new", percent=10), "fast", caller)}
    more = {caller.actor for caller in CALLERS if chosen(CanarySection(to="new", percent=30), "fast", caller)}
    assert few < more


def test_a_name_in_two_tenants_is_two_principals() -> None:
    canary = CanarySection(to="new", percent=50)
    sides = {chosen(canary, "fast", someone("user:alice", tenant=f"t{n}")) for n in range(60)}
    assert sides == {True, False}
