"""Rules and canaries choose for endpoints next to chat as they do for chats, and mirrors listen where they
are told to.
"""

from typing import Any

import msgspec
import pytest

from shared.ledger.entry import Outcome
from shared.ledger.row import Row
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.endpoints.test_routing import ASK, PATH, embed, routed
from tests.llm_gateway.gateway import Gateway, provider_section
from tests.support.endpoint_provider import body, embeddings, images, sound, text_completion, text_stream
from tests.support.providers import ScriptedProvider, completion, error, silence
from tests.support.serve import someone
from tests.support.wait import eventually

SPECIAL = {"group": "special"}
GERMAN = {"input": ["Wie ist das Wetter?", "Und was ist mit der Bahn?"]}
TOKENS = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
# path, members of a request, an answer
OTHERS: dict[str, tuple[dict[str, Any], Any]] = {
    "/v1/rerank": ({"query": "a", "documents": ["b"]}, body({"results": []})),
    "/v1/moderations": ({"input": "a"}, body({"results": []})),
    "/v1/images/generations": ({"prompt": "a"}, images()),
    "/v1/audio/speech": ({"input": "a", "voice": "x"}, sound(b"abc")),
    "/v1/completions": ({"prompt": "a"}, body(text_completion(TOKENS))),
}


async def rows(gateway: Gateway) -> tuple[Row, Row]:
    """The call's row and its copy's."""
    found = sorted(await gateway.service.rows(2), key=lambda row: row.action == "mirror")
    assert [row.action == "mirror" for row in found] == [False, True]
    return found[0], found[1]


@pytest.mark.parametrize(
    ("when", "more"),
    [
        ('sub == "user:alice" and team == "support"', {}),
        ('"nightly" in tags', {}),
        ('headers.x_route == "special"', {}),
        ('dialect == "embeddings" and not stream and not tools and images == 0', {}),
        ("tokens > 50", {"input": "word " * 200}),
        ('language == "de" and script == "latin"', GERMAN),
    ],
)
async def test_a_rule_sends_what_it_is_meant_for_elsewhere(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, when: str, more: dict[str, Any]
) -> None:
    second.will(embeddings([1.0]))
    models = routed({}, SPECIAL, rules=[{"when": when, "to": "special"}])
    async with opened(provider, second, models=models) as gateway:
        headers = gateway.identity() | {"x-gatestack-tags": "nightly", "x-route": "special"}
        assert (await gateway.hear(ASK | more, path=PATH, headers=headers)).status == 200
        row = await gateway.service.row()
        assert (row.provider, provider.calls) == ("second", [])
        assert "routed:rule 0 to special" in row.findings


@pytest.mark.parametrize("path", OTHERS)
async def test_so_it_is_at_every_endpoint(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, path: str
) -> None:
    members, answer = OTHERS[path]
    second.will(answer)
    models = routed({}, SPECIAL, rules=[{"when": 'team == "support"', "to": "special"}])
    async with opened(provider, second, models=models) as gateway:
        assert (await gateway.hear({"model": "fast", **members}, path=path)).status == 200
        assert (len(provider.calls), len(second.calls)) == (0, 1)


async def test_a_rules_group_is_not_left_where_it_has_no_such_endpoint(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    """It may be there to keep a team's calls in one place."""
    providers = {
        "main": provider_section(provider),
        "second": provider_section(second, kind="anthropic"),
    }
    models = routed({}, SPECIAL, rules=[{"when": 'team == "support"', "to": "special"}])
    async with opened(provider, models=models, providers=providers) as gateway:
        heard = await embed(gateway)
        assert (heard.status, heard.error["param"]) == (400, "model")
        assert (provider.calls, second.calls) == ([], [])
        provider.will(embeddings([1.0]))
        other = await gateway.hear(ASK, path=PATH, caller=someone("user:bob", team="other"))
        assert other.status == 200


async def test_a_rules_group_may_have_what_the_main_group_has_not(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    providers = {
        "main": provider_section(provider, kind="anthropic"),
        "second": provider_section(second),
    }
    second.will(embeddings([1.0]))
    models = routed({}, SPECIAL, rules=[{"when": 'dialect == "embeddings"', "to": "special"}])
    async with opened(provider, models=models, providers=providers) as gateway:
        assert (await embed(gateway)).status == 200
        heard = await gateway.hear({"model": "fast", "input": "a"}, path="/v1/moderations")
        assert (heard.status, provider.calls, len(second.calls)) == (400, [], 1)


async def test_the_canarys_share_goes_there_and_comes_back_when_it_fails(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(embeddings([1.0]), error(500))
    provider.will(embeddings([2.0]))
    models = routed({}, SPECIAL, canary={"to": "special", "percent": 100})
    async with opened(provider, second, models=models) as gateway:
        assert (await embed(gateway)).status == 200
        assert (await embed(gateway)).status == 200
        first, later = await gateway.service.rows(2)
        assert (first.provider, later.provider) == ("second", "main")
        assert first.findings[0] == "routed:canary to special"
        assert "fallback:" in later.findings[1]


async def test_a_canary_is_for_the_endpoints_that_it_has(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    providers = {
        "main": provider_section(provider),
        "second": provider_section(second, kind="anthropic"),
    }
    provider.will(embeddings([2.0]))
    models = routed({}, SPECIAL, canary={"to": "special", "percent": 100})
    async with opened(provider, models=models, providers=providers) as gateway:
        assert (await embed(gateway)).status == 200
        row = await gateway.service.row()
        assert not any(found.startswith("routed") for found in row.findings)


async def test_each_group_has_answers_of_its_own_in_the_cache(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    """Vectors of two models cannot be compared."""
    provider.will(embeddings([1.0]))
    second.will(embeddings([2.0]))
    models = routed({}, SPECIAL, rules=[{"when": 'sub == "user:bob"', "to": "special"}])
    async with opened(provider, second, models=models, cache={"share": "tenant"}) as gateway:
        for who, value, cached in (
            ("user:alice", 1.0, "miss"),
            ("user:bob", 2.0, "miss"),
            ("user:alice", 1.0, "hit"),
            ("user:bob", 2.0, "hit"),
        ):
            heard = await gateway.hear(ASK, path=PATH, caller=someone(who))
            assert heard.json["data"][0]["embedding"] == [value]
            assert f"cache={cached}" in heard.headers["x-gatestack-answer"]


async def test_a_killed_canary_is_not_asked_and_a_killed_rules_group_refuses(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(embeddings([2.0]))
    rules = [{"when": 'sub == "user:bob"', "to": "special"}]
    models = routed({}, SPECIAL, rules=rules, canary={"to": "special", "percent": 100})
    async with opened(provider, second, models=models) as gateway:
        await gateway.edge.kill(gateway.service.parts, provider="second")
        assert (await embed(gateway)).status == 200
        heard = await gateway.hear(ASK, path=PATH, caller=someone("user:bob"))
        assert (heard.status, heard.error["code"], second.calls) == (403, "killed", [])


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions"])
async def test_a_mirror_hears_what_it_is_told_to_listen_to(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, path: str
) -> None:
    answers = {"/v1/embeddings": embeddings([1.0]), "/v1/completions": text_stream("a", "b", usage=TOKENS)}
    asked: dict[str, dict[str, Any]] = {
        "/v1/embeddings": ASK,
        "/v1/completions": {"model": "fast", "prompt": "a", "stream": True},
    }
    for each in (provider, second):
        each.will(answers[path])
    mirror = {"to": "special", "endpoints": ["embeddings", "completions"]}
    async with opened(provider, second, models=routed({}, SPECIAL, mirror=mirror)) as gateway:
        assert (await gateway.hear(asked[path], path=path)).status == 200
        call, copy = await rows(gateway)
        assert second.last.json == provider.last.json
        assert (call.provider, call.findings[0]) == ("main", "mirror:to special")
        assert (copy.provider, copy.outcome, copy.parent) == ("second", Outcome.COMPLETED, call.id)
        assert (copy.actors, copy.tokens_in > 0) == (("service:mirror",), True)
        provider.will(completion())
        assert (await gateway.ask()).status == 200
        assert len(second.calls) == 1


async def test_a_mirrors_target_never_answers(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(400, message="maximum context length is 10 tokens"))
    second.will(embeddings([1.0]))
    groups = ({"context_window": 10}, SPECIAL | {"context_window": 100})
    for endpoints in (["chat"], ["embeddings"]):
        mirror = {"to": "special", "endpoints": endpoints, "percent": 0}
        models = routed(*groups, mirror=mirror, fallbacks={"context": ["larger"]})
        async with opened(provider, second, models=models) as gateway:
            assert (await embed(gateway)).status == 400
            assert (await gateway.ask()).status == 400
        assert second.calls == []


async def test_a_kill_ends_copies_and_limits_do_not_count_them(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(embeddings([1.0]))
    second.will(silence)
    limits = [{"name": "two", "per": "user", "unit": "requests", "amount": 2, "window": "hour"}]
    mirror = {"to": "special", "endpoints": ["embeddings"]}
    async with opened(provider, second, models=routed({}, SPECIAL, mirror=mirror), limits=limits) as gateway:
        assert (await embed(gateway)).status == 200
        await eventually(lambda: second.calls)
        await gateway.edge.kill(gateway.service.parts, provider="second")
        assert (await rows(gateway))[1].outcome == Outcome.KILLED
        assert [(await embed(gateway)).status for _ in range(2)] == [200, 429]


async def test_what_a_guard_refuses_is_not_copied(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    guards = [{"kind": "regex", "name": "words", "patterns": [{"name": "x", "pattern": "nightfall"}]}]
    mirror = {"to": "special", "endpoints": ["embeddings"]}
    models = routed({}, SPECIAL, mirror=mirror, rules=[{"when": 'team == "support"', "to": "main"}])
    async with opened(provider, second, models=models, guards=guards) as gateway:
        refused = await gateway.hear(msgspec.json.encode(ASK | {"input": "nightfall"}), path=PATH)
        assert refused.status in (400, 403)
    assert (provider.calls, second.calls) == ([], [])
