"""What a command prints for people: whatever callers have written, nothing of it moves a terminal."""

import pytest

from api_gateway.cli.chain import drawn
from api_gateway.cli.show import Output, lines, table

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\u202eb\x9b31m"
ENTRY = {
    "id": "1", "parent": "", "hop": 0, "started_at": 0, "chain": "c", "service": "llm_gateway",
    "actors": ["user:a"], "action": "invoke", "decision": "deny", "rule": "", "outcome": "refused",
    "reason": "", "duration_us": 1, "tokens_in": 0, "tokens_out": 0, "cost_micros": 0, "provider": "",
}  # fmt: skip


def test_nothing_that_is_printed_for_people_moves_their_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for human in (lines(f"one\n\t{HOSTILE}"), table(("name",), [(HOSTILE,)], empty="")):
        Output(None, human, as_json=False).show()
        shown = capsys.readouterr().out
        assert all(char.isprintable() or char in "\n\t" for char in shown)
        assert "\\u{1b}]0;owned\\u{7}" in shown


def test_a_name_draws_no_call_that_never_was() -> None:
    forged = "model:x\n└─ llm_gateway    user:boss invoke model:y  [allow]  completed"
    _, *tree = drawn([{**ENTRY, "resource": forged}])
    assert len(tree) == 1
    assert "\n" not in tree[0]
