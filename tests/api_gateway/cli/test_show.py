"""What a command prints for people: whatever callers have written, nothing of it moves a terminal."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from api_gateway.cli import main
from api_gateway.cli.chain import drawn
from api_gateway.cli.remote import Remote
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


def test_what_is_to_be_copied_stays_whole_on_a_narrow_terminal() -> None:
    paper = io.StringIO()
    told = "a sentence that is longer than any name, and so may be broken up between its words"
    row = ("79ed35454d603ed39e04b2c85a", "2026-11-22 03:49:44Z", told)
    table(("id", "at", "reason"), [row], empty="")(Console(file=paper, width=60, soft_wrap=True))
    shown = paper.getvalue()
    assert f"{row[0]}  {row[1]}" in shown
    assert told not in shown


def test_a_reader_that_stops_gets_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    end, ours = os.pipe()
    os.close(end)
    with open(ours, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        code = main(["policy", "check", str(_policy(tmp_path)), "--json"])
    assert (code, capsys.readouterr().err) == (1, "")


def test_a_full_disk_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        code = main(["policy", "check", str(_policy(tmp_path))])
    assert (code, capsys.readouterr().err) == (1, "gatestack: No space left on device\n")


def test_letters_that_a_terminal_does_not_have_are_written_as_numbers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paper = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(paper, encoding="ascii"))
    assert main(["policy", "check", str(_policy(tmp_path))]) == 0
    assert b"regel-f\\xfcr-alle" in paper.getvalue()


def test_an_interrupt_ends_a_command_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Remote, "get", interrupted)
    assert main(["keys", "list"]) == 130
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


def _policy(folder: Path) -> Path:
    file = folder / "regel-für-alle.yaml"
    file.write_text('rules: [{sub: "*", dom: "*", obj: "*", act: "*"}]\n')
    return file
