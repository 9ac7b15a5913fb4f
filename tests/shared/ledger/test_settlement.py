"""What has to be settled with a row survives the journal."""

import msgspec
from msgspec import Raw

from shared.ledger.entry import Usage
from shared.ledger.row import SealedRow
from shared.ledger.settlement import Outgoing, resumed, used
from shared.limits.lease import Lease
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from tests.shared.ledger.fakes import lease
from tests.support.rows import entry, sealed


def test_a_row_and_its_lease_come_out_of_the_journal_as_they_went_in() -> None:
    rules = [LimitRule(name="r", per="tenant", unit="tokens", amount=9)]
    held = Lease(
        id="l",
        tenant="acme",
        chain="c",
        plan=plan(rules, {"tenant": "acme"}, Estimate(tokens_in=5, model_calls=1)),
    )
    out = Outgoing(4, "acme", sealed(entry()), held, Estimate(tokens_in=3))
    line = msgspec.json.decode(msgspec.json.encode(out.waiting()), type=type(out.waiting()))
    assert resumed(line) == msgspec.structs.replace(out, seq=0)


def test_a_row_without_a_lease_comes_out_without_one() -> None:
    out = Outgoing(0, "", sealed(entry()))
    assert resumed(out.waiting()) == out


def test_a_settlement_that_this_release_cannot_read_leaves_the_row() -> None:
    line = msgspec.structs.replace(
        Outgoing(0, "t", sealed(entry())).waiting(), settlement=Raw(b'{"lease":7}')
    )
    assert resumed(line) == Outgoing(0, "t", SealedRow(bytes(line.row), bytes.fromhex(line.hash)))


def test_calls_are_counted_as_reserved_and_tokens_and_money_as_used() -> None:
    call = entry(usage=Usage(tokens_in=1, tokens_out=2), cost_micros=3)
    assert used(call, lease(tokens_in=50, tool_calls=1, agent_calls=1)) == Estimate(
        requests=1, tokens_in=1, tokens_out=2, micros=3, tool_calls=1, agent_calls=1
    )
    assert used(call, None) == Estimate(requests=0)
