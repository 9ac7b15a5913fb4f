"""What each dimension of a selector means for an entry."""

import pytest

from shared.identity.principal import Bounds, Caller, Principal
from shared.kill_selector import DIMENSIONS, Selector
from shared.ledger.entry import Entry

CALLER = Caller(
    principal=Principal(sub="user:alice", tenant="acme", team="support", project="apollo"),
    actors=("user:alice", "agent:planner", "agent:researcher"),
    chain="c1",
    credential="identity",
    key="k1",
    bounds=Bounds(delegations=("d1", "d2")),
)
ENTRY = Entry(
    id="e1",
    service="mcp_gateway",
    started_at=0,
    caller=CALLER,
    model="gpt-5-mini",
    provider="openai",
    server="git",
    tool="log",
    agent="writer",
    skill="prose",
    resource="model:fast",
)
BARE = Entry(id="e2", service="api_gateway", started_at=0)


@pytest.mark.parametrize(
    "selector",
    [
        {"all": "*"},
        {"tenant": "acme"},
        {"delegation": "d1"},
        {"tenant": "acme", "delegation": "d2"},
        {"team": "sup*"},
        {"project": "apollo"},
        {"principal": "user:alice"},
        {"principal": "agent:planner", "tenant": "acme"},
        {"principal": "agent:re*"},
        {"user": "alice"},
        {"user": "user:alice"},
        {"user": "al*"},
        {"agent": "planner"},
        {"agent": "agent:researcher"},
        {"agent": "writer"},
        {"agent": "agent:w*r"},
        {"key": "k1"},
        {"chain": "c1"},
        {"model": "gpt-5-mini"},
        {"model": "gpt-5*"},
        {"model": "fast"},
        {"model": "model:fast"},
        {"team": "team:support"},
        {"tool": "tool:git/log"},
        {"provider": "openai"},
        {"server": "git"},
        {"tool": "git/log"},
        {"tool": "git/*"},
        {"tool": "log"},
        {"skill": "prose"},
        {"tenant": "acme", "agent": "planner", "model": "fast"},
    ],
    ids=str,
)
def test_a_selector_means_this_call(selector: dict[str, str]) -> None:
    assert Selector.of(selector).matches(ENTRY)


@pytest.mark.parametrize(
    "selector",
    [
        {"tenant": "acm"},
        {"tenant": "ACME"},
        {"tenant": "acme", "agent": "another"},
        {"principal": "agent:writer"},
        {"principal": "service:alice"},
        {"principal": "user:alice", "tenant": "globex"},
        {"user": "planner"},
        {"user": "lice"},
        {"agent": "alice"},
        {"agent": "plan"},
        {"model": "gpt-5"},
        {"tool": "git"},
        {"tool": "time/*"},
        {"all": "*", "tenant": "other"},
        {"key": "k[0-9]"},
        {"key": "k?"},
    ],
    ids=str,
)
def test_a_selector_does_not_mean_this_call(selector: dict[str, str]) -> None:
    assert not Selector.of(selector).matches(ENTRY)


@pytest.mark.parametrize("name", sorted(set(DIMENSIONS) - {"all"}))
def test_what_a_call_does_not_have_is_not_matched_by_everything(name: str) -> None:
    assert not Selector.of({name: "*"}).matches(BARE)
    assert Selector.of({"all": "*"}).matches(BARE)


@pytest.mark.parametrize(
    ("resource", "selector"),
    [
        ("tool:git/log", {"server": "git"}),
        ("tool:git/log", {"tool": "git/log"}),
        ("prompt:git/review", {"server": "git"}),
        ("resource:git/repo://x/y", {"server": "git"}),
        ("agent:writer", {"agent": "writer"}),
        ("agent:writer/skill/prose", {"agent": "agent:writer"}),
        ("agent:writer/skill/prose", {"skill": "prose"}),
        ("model:fast", {"model": "fast"}),
    ],
)
def test_the_resource_is_enough_before_the_stages_have_filled_the_rest(
    resource: str, selector: dict[str, str]
) -> None:
    early = Entry(id="e3", service="s", started_at=0, resource=resource)
    assert Selector.of(selector).matches(early)
    assert not Selector.of(selector).matches(BARE)


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"usr": "alice"},
        {"agent": ""},
        {"agent": "agent:"},
        {"user": "user:"},
        {"principal": "alice"},
        {"all": "yes"},
        {"all": ""},
        {"": "*"},
    ],
    ids=str,
)
def test_a_selector_that_means_nothing_is_refused(selector: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Selector.of(selector)
