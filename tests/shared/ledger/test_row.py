"""A row is everything its entry was, and its bytes are what is sealed."""

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from shared.identity.principal import Caller, Principal
from shared.ledger.entry import Entry, Outcome, Usage
from shared.ledger.row import checkpoint_row, opened, row_of, seal
from tests.support.rows import caller, entry

_RENAMED = {"sub": "principal"}


def test_every_field_of_the_entry_and_of_its_caller_is_in_the_row() -> None:
    principal = Principal(sub="user:a", tenant="t", team="te", project="p", tier="gold", roles=("r",))
    who = Caller(
        principal=principal,
        actors=("user:a", "agent:b"),
        chain="c",
        credential="key",
        hop=3,
        parent="pa",
        key="k",
    )
    call = Entry(id="i", service="s", started_at=5, caller=who, usage=Usage(**dict.fromkeys(_usage(), 7)))
    for number, name in enumerate(_plain(call)):
        value = getattr(call, name)
        setattr(
            call,
            name,
            (f"value{number}",) if isinstance(value, tuple) else type(value)(_other(value, number)),
        )
    row = row_of(call, writer="w", seq=9, prev="ff")
    expected = {name: getattr(call, name) for name in _plain(call)} | dict.fromkeys(_usage(), 7)
    expected |= {
        _RENAMED.get(name, name): getattr(principal, name)
        for name in ("sub", "tenant", "team", "project", "tier", "roles")
    }
    expected |= {
        name: getattr(who, name) for name in ("actors", "chain", "credential", "hop", "parent", "key")
    }
    expected |= {"writer": "w", "seq": 9, "prev": "ff", "checkpoint": ""}
    assert {name: getattr(row, name) for name in row.__struct_fields__} == expected
    assert opened(seal(row)[0]) == row
    assert row.actor == "agent:b"


def _plain(call: Entry) -> list[str]:
    return [name for name in call.__struct_fields__ if name not in ("caller", "usage")]


def _usage() -> tuple[str, ...]:
    return Usage.__struct_fields__


def _other(value: object, number: int) -> object:
    if isinstance(value, Outcome):
        return Outcome.BROKEN
    return 1000 + number if isinstance(value, int) else f"value{number}"


def test_a_row_can_be_checked_with_a_json_parser_and_a_hash() -> None:
    first, digest = seal(row_of(entry(), writer="w", seq=1, prev=""))
    second, _ = seal(row_of(entry(), writer="w", seq=2, prev=digest.hex()))
    assert json.loads(second)["prev"] == hashlib.sha256(first).hexdigest() == digest.hex()


def test_the_same_row_always_has_the_same_bytes() -> None:
    row = row_of(entry(caller(team="a")), writer="w", seq=1, prev="")
    assert seal(row) == seal(opened(seal(row)[0])) == seal(row)


def test_a_call_whose_caller_was_never_identified_has_a_row() -> None:
    call = Entry(id="i", service="s", started_at=1, outcome=Outcome.REFUSED)
    row = row_of(call, writer="w", seq=1, prev="")
    assert (row.tenant, row.principal, row.actor, row.actors) == ("", "", "", ())


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_that_a_caller_can_send_keeps_a_row_from_being_sealed(text: str) -> None:
    call = entry(caller(sub=text, agents=(text,)), model=text, findings=(text,), detail=text)
    row = opened(seal(row_of(call, writer="w", seq=1, prev=""))[0])
    assert row.model == text.encode("utf-8", "replace").decode()


def test_a_checkpoint_belongs_to_no_tenant() -> None:
    row = checkpoint_row("token", writer="w", seq=2, prev="aa", service="s", at=5)
    assert (row.tenant, row.chain, row.checkpoint, row.outcome) == ("", "", "token", "completed")
    assert opened(seal(row)[0]) == row
