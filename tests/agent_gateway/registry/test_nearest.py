"""Agents are found by what somebody wants done, among those that this caller may use."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agent_gateway.catalog import Catalog
from agent_gateway.config import AgentEntry
from agent_gateway.registry.nearest import Nearest
from agent_gateway.registry.skills import Known, Skill
from shared import embed
from tests.agent_gateway.gateway import ALL, Gateway, gateway
from tests.support.serve import someone


def _bridge(description: str, *skills: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"bridge": {"kind": "chat", "model": "m", "description": description, "skills": skills}, **more}


AGENTS = {
    "cashier": _bridge("Gives customers back what they paid for orders.", tags=["finance"]),
    "meteo": _bridge("Tells the forecast for a city."),
    "reviewer": _bridge(
        "Does what it is asked.",
        {"id": "bugs", "name": "Bugs", "description": "Finds bugs in source code.", "tags": ["python"]},
        {"id": "trips", "name": "Trips", "description": "Books flights and hotels.", "tags": ["travel"]},
    ),
}
SECTION = {"agents": AGENTS}


async def _like(gate: Gateway, text: str, more: str = "", **caller: Any) -> list[str]:
    answer = await gate.get(f"/agents?like={quote(text)}{more}", someone(**caller))
    assert answer.status == 200
    return [item["name"] for item in answer.json["agents"]]


async def test_agents_are_found_by_what_they_and_their_skills_mean(tmp_path: Path) -> None:
    async with gateway(tmp_path, section=SECTION) as gate:
        assert (await _like(gate, "pay a client for returned goods"))[0] == "cashier"
        assert await _like(gate, "will it rain tomorrow in Paris") == ["meteo"]
        assert (await _like(gate, "mistakes in my program"))[0] == "reviewer"
        assert (await _like(gate, "plan my holiday"))[0] == "reviewer"
        assert await _like(gate, "zzzz") == []
        assert sorted(await _like(gate, "  ")) == sorted(AGENTS)


async def test_whoever_has_the_words_comes_first(tmp_path: Path) -> None:
    async with gateway(tmp_path, section=SECTION) as gate:
        assert (await _like(gate, "bugs"))[0] == "reviewer"
        assert (await _like(gate, "meteo"))[0] == "meteo"


async def test_a_search_by_meaning_is_narrowed_by_skill_tag_and_words(tmp_path: Path) -> None:
    async with gateway(tmp_path, section=SECTION) as gate:
        assert await _like(gate, "money for clients", "&tag=finance") == ["cashier"]
        assert await _like(gate, "money for clients", "&tag=travel") == []
        assert await _like(gate, "find mistakes in a program", "&skill=bugs") == ["reviewer"]
        assert await _like(gate, "money for clients", "&q=forecast") == []


async def test_what_a_caller_may_not_use_is_not_found_and_helps_nobody_to_be_found(tmp_path: Path) -> None:
    hidden = {"sub": "*", "dom": "*", "obj": "agent:reviewer/skill/trips", "act": "*", "eft": "deny"}
    nobodys = {"sub": "*", "dom": "*", "obj": "agent:meteo", "act": "*", "eft": "deny"}
    async with gateway(tmp_path, section=SECTION, rules=[*ALL, hidden, nobodys]) as gate:
        assert await _like(gate, "will it rain tomorrow in Paris") == []
        assert await _like(gate, "plan my holiday") == []
        assert (await _like(gate, "mistakes in my program"))[0] == "reviewer"
    async with gateway(tmp_path, section=SECTION, rules=[]) as gate:
        assert await _like(gate, "pay a client for returned goods") == []


async def test_without_the_model_the_words_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shared.embed", None)
    async with gateway(tmp_path, section=SECTION) as gate:
        assert await _like(gate, "bugs") == ["reviewer"]
        assert await _like(gate, "pay a client for returned goods") == []


async def test_a_text_without_end_is_cut(tmp_path: Path) -> None:
    async with gateway(tmp_path, section=SECTION) as gate:
        assert (await _like(gate, "will it rain tomorrow in Paris " * 100))[0] == "meteo"


async def test_a_card_without_end_is_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    real = embed.embed

    def noted(given: Sequence[str]) -> embed.Vectors:
        texts.extend(given)
        return real(given)

    monkeypatch.setattr(embed, "embed", noted)
    skills = tuple(Skill(f"s{n}", f"S{n}", f"Paints wall {n}. " * 200, ("x",)) for n in range(1000))
    agent = Catalog({"painter": AgentEntry(url="http://127.0.0.1:1/")}).find("painter")
    assert agent is not None
    painter = Known(agent, "painter", "Paints. " * 1000, skills)
    assert await Nearest()("paint my house", [painter]) == [painter]
    assert len(texts) < 50
    assert max(map(len, texts)) <= 400
