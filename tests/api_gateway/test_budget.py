"""A caller may allow its own chain less than its key does, never more."""

import pytest

from api_gateway.budget import narrowed
from shared.errors import BadRequest
from shared.identity.principal import Caller, ChainBudget, Principal
from tests.support.exchange import exchange

CALLER = Caller(
    principal=Principal(sub="user:alice", tenant="acme"),
    actors=("user:alice",),
    chain="c",
    credential="key",
    budget=ChainBudget(micros=50_000, tool_calls=5),
)


def asked(text: str) -> ChainBudget:
    return narrowed(CALLER, exchange(headers={"gatestack-budget": text})).budget


def test_less_is_taken_and_more_is_not() -> None:
    assert asked("usd=0.02, tool_calls=9, tokens=100") == ChainBudget(micros=20_000, tool_calls=5, tokens=100)


def test_without_the_header_nothing_changes() -> None:
    assert narrowed(CALLER, exchange()) is CALLER


@pytest.mark.parametrize("text", ["gold=1", "usd", "usd=-1", "tokens=1.5", "usd=1e9", "tokens=\u0661"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    one = exchange()
    one.headers = [(b"gatestack-budget", text.encode())]
    with pytest.raises(BadRequest, match="gatestack-budget"):
        narrowed(CALLER, one)
