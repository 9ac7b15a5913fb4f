from pathlib import Path

import pytest

from shared.policy.csv_file import Line, read


def _read(path: Path, text: str) -> tuple[list[Line], list[str]]:
    (path / "policy.csv").write_text(text, "utf-8")
    return read(path / "policy.csv")


def test_lines_are_read_as_casbin_reads_them(tmp_path: Path) -> None:
    lines, problems = _read(
        tmp_path,
        '\ufeffp, *, acme, tool:é/*, invoke, matches("x", tool) , allow\r\n\r\n# no\r\ng,user:a,role:b,acme',
    )
    assert problems == []
    assert lines == [
        Line(1, "p", ("*", "acme", "tool:é/*", "invoke", 'matches("x", tool)', "allow")),
        Line(4, "g", ("user:a", "role:b", "acme")),
    ]


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("P, *, acme", "begins with 'P'"),
        ("g3, a, b", "begins with 'g3'"),
        ("x" * 500, "begins with 'xxx"),
        ("p, *, acme), x", "closes a bracket"),
    ],
)
def test_a_line_that_casbin_would_pass_over_is_a_problem(tmp_path: Path, text: str, about: str) -> None:
    lines, problems = _read(tmp_path, f"g, user:a, role:b, acme\n{text}\n")
    assert len(lines) == 1
    assert len(problems) == 1
    assert problems[0].startswith("line 2: " + about)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file policy\.csv"):
        read(tmp_path / "policy.csv")
