"""Calls go to the group that they are meant for, and their entries say why."""

from typing import Any

import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.router.live import fast, saying, to
from tests.support.providers import ScriptedProvider, completion, error
from tests.support.serve import someone

TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}

# condition -> members of a call for which it holds
HOLDS: dict[str, dict[str, Any]] = {
    "tokens > 50": {"messages": saying("word " * 200)},
    "max_tokens >= 100": {"max_tokens": 100},
    "stream": {"stream": True},
    "tools": {"tools": [TOOL]},
    'matches("look_*", "look_up") and "look_up" in tools': {"tools": [TOOL]},
    "images > 0": {"messages": [{"role": "user", "content": [IMAGE, {"type": "text", "text": "?"}]}]},
    "turns >= 3": {"messages": [*saying("one"), {"role": "assistant", "content": "two"}, *saying("three")]},
    'language == "de"': {"messages": saying("Wie ist das Wetter und was ist mit der Bahn?")},
    'script == "cyrillic"': {"messages": saying("Как дела?")},
    'team == "support" and tenant == "acme" and sub == "user:alice"': {},
    'dialect == "openai_chat" and model == "fast"': {},
}


@pytest.mark.parametrize("when", HOLDS)
async def test_a_rule_sends_what_it_is_meant_for_elsewhere(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, when: str
) -> None:
    models = fast(to("main"), to("second", "special"), rules=[{"when": when, "to": "special"}])
    async with opened(provider, second, models=models) as gateway:
        heard = await gateway.ask(**HOLDS[when])
        assert len(second.calls) == 1, heard.body
        assert "routed:rule 0 to special" in (await gateway.service.row()).findings


async def test_the_first_rule_that_holds_decides_and_without_one_it_is_the_main_group(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    rules = [
        {"when": 'team == "nobody"', "to": "special"},
        {"when": 'headers.x_route == "special"', "to": "special"},
    ]
    async with opened(
        provider, second, models=fast(to("main"), to("second", "special"), rules=rules)
    ) as gateway:
        assert (await gateway.ask()).status == 200
        headers = gateway.identity() | {"x-route": "special"}
        assert (
            await gateway.hear({"model": "fast", "messages": saying("Hi")}, headers=headers)
        ).status == 200
        assert (len(provider.calls), len(second.calls)) == (1, 1)
        plain, routed = await gateway.service.rows(2)
        assert (plain.findings, routed.findings) == ((), ("routed:rule 1 to special",))


async def test_a_rules_group_is_not_left_when_it_fails(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(error(500))
    models = fast(to("main"), to("second", "inside"), rules=[{"when": 'team == "support"', "to": "inside"}])
    async with opened(provider, second, models=models) as gateway:
        assert (await gateway.ask()).status == 502
        assert provider.calls == []


async def test_hard_and_easy_calls_go_to_their_groups(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    models = fast(to("main"), to("second", "strong"), classifier={"hard": "strong"})
    async with opened(provider, second, models=models) as gateway:
        await gateway.ask(messages=saying("Hello, how are you today?"))
        assert (len(provider.calls), len(second.calls)) == (1, 0)
        await gateway.ask(messages=saying("Prove step by step that the square root of 2 is irrational."))
        assert (len(provider.calls), len(second.calls)) == (1, 1)
        easy, hard = await gateway.service.rows(2)
        assert easy.findings[0].startswith("routed:easy 0.")
        assert hard.findings[0].startswith("routed:hard 0.")
        assert hard.findings[0].endswith(" to strong")


async def test_a_canary_gets_its_share_and_its_principals_stay_with_it(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    models = fast(to("main"), to("second", "new"), canary={"to": "new", "percent": 50})
    async with opened(provider, second, models=models) as gateway:
        for n in range(12):
            before = len(second.calls)
            for _ in range(2):
                await gateway.ask(someone(f"user:{n}"))
            assert len(second.calls) - before in (0, 2)
        assert 0 < len(second.calls) < 24


async def test_a_canary_that_fails_is_not_the_end_of_the_call(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(error(500))
    models = fast(to("main"), to("second", "new"), canary={"to": "new", "when": 'team == "support"'})
    async with opened(provider, second, models=models) as gateway:
        assert (await gateway.ask()).status == 200
        row = await gateway.service.row()
        assert (row.provider, row.attempts) == ("main", 2)
        assert row.findings[0] == "routed:canary by condition to new"


async def test_a_call_that_cannot_be_read_is_not_classified(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(completion())
    models = fast(to("main"), to("second", "strong"), classifier={"hard": "strong"})
    async with opened(provider, second, models=models) as gateway:
        heard = await gateway.ask(messages=[{"role": "nobody", "content": 7}])
        assert heard.status == 200
        assert "routed:unreadable to main" in (await gateway.service.row()).findings
