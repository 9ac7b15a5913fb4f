"""Every problem of a configuration file is told at once, with its place; secrets stand nowhere in it."""

from pathlib import Path
from typing import Literal

import pytest
from msgspec import Struct, field

from shared.config import ConfigProblems, Loaded, Secret, load


class Http(Struct, frozen=True, tag="http", forbid_unknown_fields=True):
    url: str
    token: Secret = Secret("")


class Stdio(Struct, frozen=True, tag="stdio", forbid_unknown_fields=True):
    command: str
    args: list[str] = []


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    bind: str = "127.0.0.1:0"
    servers: dict[str, Http | Stdio] = field(default_factory=dict)
    mode: Literal["a", "b"] = "a"
    size: int = 1
    wanted: str


def read(tmp_path: Path, text: str, **environ: str) -> Loaded[Section]:
    path = tmp_path / "gatestack.yaml"
    path.write_text(text)
    return load(
        path, "llm_gateway", Section, lambda section: ["size: too large"] if section.size > 9 else [], environ
    )


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigProblems) as caught:
        read(tmp_path, text, **environ)
    return caught.value.problems


def test_a_good_file_becomes_frozen_sections(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        """
        chain: {max_depth: 3}
        llm_gateway:
          wanted: "${WORD}-${OTHER:-default}"
          size: ${SIZE}
          servers:
            one: {type: http, url: "http://x", token: "${TOKEN}"}
            two: {type: stdio, command: run, args: [a, b]}
        mcp_gateway: {anything: "${OF_NO_CONCERN_HERE}", more: "${file:nowhere}"}
        """,
        WORD="x",
        SIZE="7",
        TOKEN="s3cret",
    )
    assert loaded.shared.chain.max_depth == 3
    assert (loaded.section.wanted, loaded.section.size) == ("x-default", 7)
    one, two = loaded.section.servers["one"], loaded.section.servers["two"]
    assert isinstance(one, Http)
    assert one.token.reveal() == "s3cret"
    assert "s3cret" not in repr(loaded)
    assert two == Stdio(command="run", args=["a", "b"])


def test_all_problems_are_found_in_one_go(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        llm_gatway: {}
        chain: {max_depth: deep, budgte: {}}
        llm_gateway:
          mode: c
          servers:
            one: {type: http, url: 3, token: literal}
            two: {type: stdio, comand: x}
            three: {url: x}
          size: ${NOT_SET}
          more: 1
        """,
    )
    text = "\n".join(found)
    for expected in (
        "llm_gatway: unknown section",
        "chain.max_depth: Expected `int`",
        "chain.budgte: unknown name: did you mean 'budget'?",
        "llm_gateway.mode:",
        "llm_gateway.servers.one.url: Expected `str`",
        "llm_gateway.servers.one.token: a secret must not stand in this file",
        "llm_gateway.servers.two.comand: unknown name: did you mean 'command'?",
        "llm_gateway.servers.two.command: missing",
        "llm_gateway.servers.three:",
        "size: the environment variable NOT_SET is not set",
        "llm_gateway.more: unknown name",
        "llm_gateway.wanted: missing",
    ):
        assert expected in text


def test_a_services_own_check_is_part_of_the_list(tmp_path: Path) -> None:
    assert problems(tmp_path, "llm_gateway: {wanted: x, size: 10}") == ["llm_gateway.size: too large"]


def test_policy_mistakes_are_found_with_their_place(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        policy:
          rules:
            - {sub: "*", dom: "*", obj: "*", act: "*", cond: "depth <="}
        llm_gateway: {wanted: x}
        """,
    )
    assert len(found) == 1
    assert found[0].startswith("policy.rules[0].cond")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: [", "not valid YAML", id="broken"),
        pytest.param("- 1", "sections by name", id="a list"),
        pytest.param("chain: {max_depth: 1, max_depth: 9}", "stands twice", id="doubled key"),
        pytest.param("chain: {max_depth: '${file:nowhere}'}", "cannot be read", id="missing file"),
        pytest.param("chain: 7", "expected a section", id="no section"),
    ],
)
def test_files_that_are_no_configuration_say_why(tmp_path: Path, text: str, expected: str) -> None:
    assert any(
        expected in problem
        for problem in problems(
            tmp_path,
            text + "\nllm_gateway: {wanted: x}"[: None if "- 1" not in text and "[" not in text else 0],
        )
    )


def test_what_may_stand_there_and_the_file_are_named(tmp_path: Path) -> None:
    assert problems(tmp_path, "llm_gateway: {wanted: x, mode: c}") == [
        "llm_gateway.mode: 'c' is none of a, b"
    ]
    [found] = problems(tmp_path, "a: [\n")
    assert f'in "{tmp_path}/gatestack.yaml", line 2' in found


def test_a_missing_file_is_a_problem_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems, match="1 problem"):
        load(tmp_path / "nowhere.yaml", "llm_gateway", Section, lambda _: [])
