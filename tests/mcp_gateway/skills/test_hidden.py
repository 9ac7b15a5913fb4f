"""Skills that hide something are shown to nobody, and those of the configuration stop the start."""

import sys
from typing import Any

import msgspec
import pytest

from mcp_gateway.config import Section, problems
from shared.catalog_entries import CatalogEntry
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway

SKILLS = {"skills": {"transport": {"type": "skills"}}}
PARSER = {"description": "How invoices are read.", "instructions": "Read them twice."}
PATH = "/registry/v0.1/skills"


def entry(version: str, **more: Any) -> CatalogEntry:
    return CatalogEntry(kind="skill", name="parser", version=version, content=PARSER, **more)


async def ids(gateway: Gateway, query: str = "") -> list[str]:
    heard = await gateway.send(method="GET", path=PATH + query)
    return [f"{each['skill']['id']} {each['skill']['version']}" for each in heard.json["skills"]]


async def test_what_is_in_quarantine_is_nowhere(opened: Open) -> None:
    async with opened(SKILLS) as gateway:
        held = entry("2.0.0", state="quarantined", findings=("hidden:tags",))
        await gateway.edge.publish(gateway.service.parts, "catalog", [entry("1.0.0"), held])
        assert await ids(gateway) == ["parser 1.0.0"]
        assert await ids(gateway, "?include_deleted=true&updated_since=1970-01-01T00:00:00Z") == [
            "parser 1.0.0"
        ]
        heard = await gateway.send(method="GET", path=f"{PATH}/parser/versions/2.0.0")
        assert heard.status == 404
        for uri in ("skill://parser@2.0.0", "skill://parser@latest"):
            read = await gateway.ask("resources/read", {"uri": uri}, path="/servers/skills/mcp")
            assert ("error" in read.json) is uri.endswith("2.0.0")
        released = msgspec.structs.replace(held, state="active")
        await gateway.edge.publish(gateway.service.parts, "catalog", [entry("1.0.0"), released])
        assert await ids(gateway, "?version=latest") == ["parser 2.0.0"]


async def test_readers_are_told_what_was_found_and_why_it_went(opened: Open) -> None:
    async with opened(SKILLS) as gateway:
        one = entry(
            "1.0.0", state="deprecated", findings=("phrase:secrecy",), reason="There is a better one."
        )
        await gateway.edge.publish(gateway.service.parts, "catalog", [one])
        [found] = (await gateway.send(method="GET", path=PATH)).json["skills"]
    official = found["_meta"]["io.modelcontextprotocol.registry/official"]
    assert official["statusMessage"] == "There is a better one."
    assert found["_meta"]["gatestack/registry"]["findings"] == ["phrase:secrecy"]


async def test_what_another_release_wrote_does_not_take_the_others_away(opened: Open) -> None:
    async with opened(SKILLS) as gateway:
        strange = CatalogEntry(kind="skill", name="new", version="1.0.0", content=PARSER | {"voice": "low"})
        await gateway.edge.publish(gateway.service.parts, "catalog", [strange, entry("1.0.0")])
        assert await ids(gateway) == ["parser 1.0.0"]


async def test_without_a_model_skills_are_found_by_their_words(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shared.embed", None)
    async with opened(SKILLS, skills={"parser": PARSER}) as gateway:
        assert await ids(gateway, "?search=reading%20an%20invoice") == ["parser 1.0.0"]
        assert await ids(gateway, "?search=bills") == []


@pytest.mark.parametrize(("scan", "found"), [("quarantine", 1), ("report", 0), ("off", 0)])
def test_a_configured_skill_with_characters_that_nobody_sees_is_a_problem(scan: str, found: int) -> None:
    skills = {"parser": PARSER | {"instructions": "Read\u200b them."}}
    section = msgspec.convert({"skills": skills, "scan": scan}, Section)
    told = problems(section)
    assert len(told) == found
    assert all(one.startswith("skills.parser: hidden:invisible") for one in told)
