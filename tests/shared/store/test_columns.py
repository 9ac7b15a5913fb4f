"""What SQL keeps of a row, and what counts as spend."""

import pytest

from shared.ledger.entry import Entry, Outcome, Usage
from shared.ledger.row import checkpoint_row, row_of
from shared.store.columns import (
    COLUMNS,
    LEDGER,
    Parsed,
    columns_of,
    fitted,
    is_spend,
)
from shared.store.cubes import rollups
from tests.support.rows import caller, entry, sealed, sealed_row


def columns(call: Entry) -> dict[str, object]:
    row = row_of(call, writer="w", seq=3, prev="")
    return dict(zip(COLUMNS, columns_of(row), strict=True))


def test_columns_are_copies_of_the_rows_fields() -> None:
    found = columns(entry(caller(agents=("agent:p",), team="te"), model="m", cost_micros=5))
    assert found["principal"] == "user:alice"
    assert found["actor"] == "agent:p"
    assert (found["team"], found["model"], found["cost_micros"], found["seq"]) == ("te", "m", 5, 3)
    assert (found["spent"], found["checkpoint"]) == (1, 0)


def test_columns_fit_into_both_databases_whatever_is_in_the_row() -> None:
    found = columns(
        entry(
            caller(sub="a\x00b"),
            model="x" * 5000,
            cost_micros=-1,
            usage=Usage(tokens_in=2**90),
            started_at=2**90,
        )
    )
    assert str(found["principal"]).startswith("a\ufffdb#")
    assert str(found["model"]).startswith("x" * 128 + "#")
    assert len(str(found["model"])) < 256
    assert (found["cost_micros"], found["tokens_in"], found["started_at"]) == (0, 10**15, 2**62 - 1)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (entry(), True),
        (entry(resource="tool:git/log"), True),
        (entry(resource="agent:planner"), True),
        (entry(outcome=Outcome.FAILED), True),
        (entry(outcome=Outcome.CLIENT_GONE), True),
        (entry(outcome=Outcome.KILLED, cost_micros=1), True),
        (entry(outcome=Outcome.BROKEN, usage=Usage(tokens_out=1), resource=""), True),
        (entry(outcome=Outcome.KILLED), False),
        (entry(outcome=Outcome.REFUSED), False),
        (entry(decision="deny"), False),
        (entry(resource="route:llm"), False),
        (entry(resource="admin:keys"), False),
        (entry(resource=""), False),
        (entry(action="list"), False),
    ],
)
def test_spend_is_what_reached_a_model_a_tool_or_an_agent(call: Entry, expected: bool) -> None:
    assert is_spend(row_of(call, writer="w", seq=1, prev="")) is expected


def test_a_checkpoint_is_no_spend_and_its_signature_is_kept_apart() -> None:
    row = checkpoint_row("token", writer="w", seq=1, prev="", service="s", at=5)
    parsed = Parsed([sealed_row(row), sealed_row(row)])
    assert not is_spend(row)
    assert list(parsed.tokens.values()) == [(row.id, "w", "token")]
    assert list(rollups(parsed.records.values())) == []


def test_texts_that_have_to_be_cut_stay_different() -> None:
    texts = ["a" * 256, "a" * 257, "a" * 258, "b\x00", "b", "b\x00\x00", "\udc80" * 300]
    assert len({fitted(text) for text in texts}) == len(texts)
    assert fitted("plain") == "plain"


def test_a_batch_holds_every_id_once_and_in_order() -> None:
    rows = [sealed(entry(id=name)) for name in ("c", "a", "b", "a")]
    parsed = Parsed(rows)
    assert list(parsed.records) == ["a", "b", "c"]
    record = dict(zip(LEDGER, parsed.records["c"], strict=True))
    assert (record["body"], record["hash"]) == (rows[0].body, rows[0].hash)
