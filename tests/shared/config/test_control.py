"""The section `control`: whose word is believed must come over a line that nobody can change."""

from pathlib import Path

import pytest

from shared.config.control import ControlSection, problems
from shared.tls_trust import Trust


@pytest.mark.parametrize(
    "section",
    [
        ControlSection(),
        ControlSection(plane="https://control.example"),
        ControlSection(plane="https://control.example:8443", keys="keys.json"),
        ControlSection(plane="http://127.0.0.1:8080"),
        ControlSection(plane="http://[::1]:8080", keys="http://localhost:8080/.well-known/jwks.json"),
    ],
    ids=str,
)
def test_what_fits_is_no_problem(section: ControlSection) -> None:
    assert problems(section, Path) == []


def test_what_does_not_fit_is_told_with_its_place(tmp_path: Path) -> None:
    far = ControlSection(
        plane="http://control.example", keys="http://10.0.0.1/keys", tls=Trust(ca="none.pem")
    )
    found = problems(far, tmp_path.joinpath)
    assert [problem.split(":")[0] for problem in found] == ["plane", "keys", "tls"]
    assert "https" in found[0]
    assert problems(ControlSection(keys="keys.json"), Path) == ["keys: needs plane: whose would it be?"]


def test_the_key_set_is_asked_at_the_plane_unless_told_otherwise() -> None:
    plane = "https://control.example"
    assert ControlSection(plane=plane).key_set == f"{plane}/.well-known/jwks.json"
    assert ControlSection(plane=plane, keys="keys.json").key_set == "keys.json"
