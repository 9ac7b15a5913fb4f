"""Whoever calls a command wrongly is told what is wrong, where, and what to do."""

import asyncio
from importlib.metadata import version
from pathlib import Path

import pytest

from api_gateway.cli import command_line
from tests.api_gateway.office import Office, said


@pytest.fixture(autouse=True)
def _nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GATESTACK_URL", "GATESTACK_KEY", "GATESTACK_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("fly", "there is no command 'fly'. How it is called: gatestack --help"),
        ("keys fly", "there is no command 'fly'. How it is called: gatestack keys --help"),
        ("kyes list", "there is no command 'kyes': did you mean keys? How it is called: gatestack --help"),
        ("keys list --tenat a", "Unknown option: --tenat. Did you mean --tenant? How it is called: "),
        ("keys create user:a --usd nan", "nan is no amount of dollars: write it like 0.50"),
        ("keys rotate k --overlap 5x", "'5x' is no span of time: write 90s, 30m, 24h or 7d"),
        ("policy explain user:a tool:b/c --fact a=1 --fact a.b=2", "'a.b=2': a has a value already"),
        ("keys create", "SUB is missing. How it is called: gatestack keys create --help"),
        ("diff", "--file is missing. How it is called: gatestack diff --help"),
        ("diff --file", "--file needs a value. How it is called: gatestack diff --help"),
        ("keys list all", "'all' is more than it takes. How it is called: gatestack keys list --help"),
        ("keys list --fast", "Unknown option: --fast. How it is called: gatestack keys list --help"),
        ("kill add", "say what to stop, like agent=planner or chain=<id>"),
        ("kill add planner", "'planner': write it as dimension=value, like agent=planner, or all"),
        ("kill add agent=a agent=b", "agent= stands twice, and all parts have to match: make two kills"),
        ("kill add agent=", "'agent=' names nobody: write agent=* for every agent"),
        ("chain  --key-file k", "'' is no id and no name"),
        ("catalog agents remove .. --key-file k", "'..' is no id and no name"),
        ("keys list --key-file k --url 127.0.0.1:8080", "'127.0.0.1:8080' is no address: write it like"),
        ("keys list --key-file empty", "empty holds no key: a key is one word like gsk_…"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(command: str, told: str) -> None:
    Path("k").write_text("gsk_some\n")
    Path("empty").write_text("\n")
    answer = said(*command.split(" "))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"gatestack: {told}"), answer.err


def test_without_a_key_the_ways_to_one_are_told() -> None:
    answer = said("keys", "list")
    assert answer.code == 1
    assert "GATESTACK_KEY" in answer.err
    assert "--key-file" in answer.err


def test_without_an_edge_its_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATESTACK_KEY", "gsk_some")
    answer = said("keys", "list", "--url", "http://127.0.0.1:9")
    assert answer.code == 1
    assert answer.err.startswith("gatestack: no answer from http://127.0.0.1:9: ")
    assert "Is `gatestack up` running?" in answer.err


def test_the_configuration_that_the_environment_names_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = said("config", "check")
    assert (missing.code, "examples/gatestack.yaml" in missing.out) == (2, True)
    Path("other.yaml").write_text("api_gatewya: {}\n")
    monkeypatch.setenv("GATESTACK_CONFIG", "other.yaml")
    other = said("config", "check")
    assert other.out.startswith("other.yaml: 1 problem(s)\n  api_gatewya: unknown section (known: ")


def test_the_release_is_told() -> None:
    assert said("--version").out.strip() == version("gatestack")


def test_help_shows_patterns_as_they_are_and_no_empty_defaults() -> None:
    text = said("keys", "create", "--help").out
    assert "model:*, tool:git/*" in text
    assert '""' not in text
    assert "--empty-scope" not in text


async def test_an_address_at_an_edge_that_is_none_of_its_own_is_told(office: Office) -> None:
    where = ("--url", f"{office.edge.url}/x", "--key-file", str(office.key_file))
    answer = await asyncio.to_thread(said, "keys", "list", *where)
    assert (answer.code, "/x/admin/api/keys" in answer.err) == (1, True), answer


async def test_a_key_that_could_do_nothing_is_not_made(office: Office) -> None:
    made = ("keys", "create", "user:bob", "--tenant", "acme")
    scope = await office.say(*made, "--scope", "models:*")
    assert (scope.code, "scope[0]: 'models:*' covers nothing" in scope.err) == (1, True), scope
    budget = await office.say(*made, "--usd=-1")
    assert (budget.code, "budget.micros: -1000000 is below nothing" in budget.err) == (1, True), budget


async def test_a_question_about_nobody_is_not_answered(office: Office) -> None:
    nobody = await office.say("policy", "explain", "alice", "tool:git/git_log")
    assert (nobody.code, "actors[0]: 'alice' must be user:<name>" in nobody.err) == (1, True), nobody
    nothing = await office.say("policy", "explain", "user:alice", "git_log")
    assert (nothing.code, "resource: 'git_log' must be a resource like" in nothing.err) == (1, True), nothing
    asked = await office.say("policy", "explain", "user:alice", "tool:git/git_log", "--tenant", "acme")
    assert asked.out.startswith("REFUSED  no rule allows it  (tenant acme, policy epoch ")


def test_every_command_is_found_without_the_others() -> None:
    words = [word for word in command_line() if not word.startswith("-")]
    assert len(words) > 15
    for word in words:
        alone = [found for found in command_line(word) if not found.startswith("-")]
        assert word in alone
        assert len(alone) <= 3
