"""A kill that names a skill stops its use here as it stops an agent's skill of that name."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, rule
from tests.support.approving import asks, state, waiting
from tests.support.serve import someone

PATH = "/registry/v0.1/skills"
SERVER = "/servers/skills/mcp"
SKILLS = {
    name: {"version": "2.0.0", "description": f"About {name}.", "instructions": f"Do the {name}."}
    for name in ("refund", "parser")
}


@pytest.fixture
async def shelf(opened: Open) -> AsyncIterator[Gateway]:
    rules = [rule("user:alice", "resource:skills/*", "read"), rule("user:alice", "prompt:skills/*", "read")]
    servers = {"skills": {"transport": {"type": "skills"}}}
    async with opened(servers, rules=rules, skills=SKILLS) as gateway:
        yield gateway


async def got(gateway: Gateway, path: str, who: str = "user:alice") -> Any:
    return (await gateway.send(method="GET", path=path, caller=someone(who))).json


@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("resources/read", {"uri": "skill://%s"}, SERVER),
        ("resources/read", {"uri": "skill://%s@2.0.0"}, SERVER),
        ("resources/read", {"uri": "skills+skill://%s"}, "/mcp"),
        ("prompts/get", {"name": "%s"}, SERVER),
        ("prompts/get", {"name": "skills__%s"}, "/mcp"),
    ],
)
@pytest.mark.parametrize("selector", [{"skill": "refund"}, {"server": "skills", "skill": "ref*"}])
async def test_a_stopped_skill_is_read_by_nobody_and_the_others_are(
    shelf: Gateway, method: str, params: dict[str, str], path: str, selector: dict[str, str]
) -> None:
    async def read(skill: str) -> Any:
        filled = {name: value % skill for name, value in params.items()}
        return await shelf.ask(method, filled, path=path)

    assert "Do the refund." in (await read("refund")).body.decode()
    await shelf.edge.kill(shelf.service.parts, **selector)
    heard = await read("refund")
    assert (heard.status, heard.error["code"]) == (403, -32012)
    assert "Do the refund." not in heard.body.decode()
    assert "Do the parser." in (await read("parser")).body.decode()
    await shelf.edge.kill(shelf.service.parts)
    assert "Do the refund." in (await read("refund")).body.decode()


async def test_the_ledger_says_which_skill_was_read(shelf: Gateway) -> None:
    await shelf.ask("resources/read", {"uri": "skill://refund@2.0.0"}, path=SERVER)
    row = await shelf.service.row()
    assert (row.server, row.skill, row.outcome) == ("skills", "refund", "completed")


async def test_the_registry_tells_nobody_what_a_stopped_skill_says(shelf: Gateway) -> None:
    await shelf.edge.kill(shelf.service.parts, skill="refund")
    for page in ("/refund/versions", "/refund/versions/2.0.0", "/refund/versions/latest"):
        heard = await shelf.send(method="GET", path=PATH + page)
        assert heard.status == 403, page
        assert "Do the refund." not in heard.body.decode()
    assert (await got(shelf, PATH + "/parser/versions/2.0.0"))["skill"]["instructions"] == "Do the parser."
    listed = {each["skill"]["id"]: each["skill"] for each in (await got(shelf, PATH))["skills"]}
    assert listed["refund"]["instructions"] == ""
    assert listed["refund"]["complete"] is False
    assert listed["parser"]["instructions"] == "Do the parser."


async def test_who_may_not_know_of_a_skill_does_not_learn_that_it_is_stopped(shelf: Gateway) -> None:
    await shelf.edge.kill(shelf.service.parts, skill="refund")
    assert (await got(shelf, PATH + "/refund/versions", "user:bob"))["status"] == 404
    bob = someone("user:bob")
    stopped = await shelf.ask("resources/read", {"uri": "skills+skill://refund"}, caller=bob)
    unknown = await shelf.ask("resources/read", {"uri": "skills+skill://nobody"}, caller=bob)
    assert (stopped.status, stopped.error["code"]) == (unknown.status, unknown.error["code"])


async def test_a_use_of_a_skill_that_is_under_way_is_cut(shelf: Gateway) -> None:
    parts = shelf.service.parts
    await asks(shelf.edge, parts, "prompt:skills/refund")
    reading = asyncio.create_task(shelf.ask("prompts/get", {"name": "refund"}, path=SERVER))
    id = (await waiting(parts)).approval.id
    await shelf.edge.kill(parts, skill="refund")
    heard = await reading
    assert heard.error["code"] == -32012
    assert (await shelf.service.row()).outcome == "killed"
    assert await state(parts, id) == "withdrawn"
