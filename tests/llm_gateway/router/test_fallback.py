"""What the loop does with a failure: the same target again, another one, or the truth for the caller."""

from typing import Any

import msgspec
import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import COST
from tests.llm_gateway.router.live import fast, to
from tests.support.providers import (
    USAGE,
    Behaviour,
    ScriptedProvider,
    chunk,
    completion,
    completion_body,
    error,
    event,
    sending,
    silence,
    stream,
    whole,
)

DONE = b"data: [DONE]\n\n"
NEXT_ON_CONTENT = fast(to("main"), to("second"), fallbacks={"content": ["next"]})


def said(message: str, code: str) -> bytes:
    return msgspec.json.encode({"error": {"message": message, "type": "invalid_request_error", "code": code}})


def filtered() -> bytes:
    body: dict[str, Any] = msgspec.json.decode(completion_body(""))
    body["choices"][0]["finish_reason"] = "content_filter"
    return msgspec.json.encode(body)


FILTERED_STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({}, finish="content_filter"),
    event({"choices": [], "usage": USAGE}),
    DONE,
]
TOO_LONG = whole(said("maximum context length is 8192 tokens", "context_length_exceeded"), status=400)
NOT_LIKED = whole(said("the prompt triggered the policy", "content_filter"), status=400)


async def test_a_failure_is_tried_again_at_the_same_target_where_that_is_configured(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(error(503), error(500), completion())
    models = fast(to("main"), retries={"per_target": 2, "backoff_seconds": 0.01})
    async with opened(provider, models=models) as gateway:
        assert (await gateway.ask()).status == 200
        row = await gateway.service.row()
        assert (row.attempts, row.cost_micros) == (3, COST)
        assert row.findings == (
            "retry:main/real-model-2026-01-01 upstream_refused 503",
            "retry:main/real-model-2026-01-01 upstream_refused 500",
        )


async def test_a_short_retry_after_is_waited_for_and_a_long_one_is_not(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(whole(b"{}", status=429, headers={"retry-after-ms": "20"}), completion())
    models = fast(to("main"), to("second"), retries={"per_target": 1, "backoff_seconds": 0})
    async with opened(provider, second, models=models) as gateway:
        assert (await gateway.ask()).status == 200
        assert (len(provider.calls), len(second.calls)) == (2, 0)
        provider.will(error(429, retry_after=30))
        assert (await gateway.ask()).status == 200
        assert (len(provider.calls), len(second.calls)) == (3, 1)


async def test_a_retry_budget_that_is_spent_ends_retries_for_everybody(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(error(500))
    models = fast(to("main"), retries={"per_target": 1, "backoff_seconds": 0})
    budget = {"retry_budget": {"share": 0, "per_second": 0.1}, "breaker": {"consecutive": 100}}
    async with opened(provider, models=models, router=budget) as gateway:
        for _ in range(4):
            assert (await gateway.ask()).status == 502
        assert len(provider.calls) == 5


async def test_a_request_that_is_too_long_goes_to_a_target_with_a_larger_window(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(TOO_LONG)
    targets = to("main", context_window=8_192), to("second", "long", context_window=100_000)
    async with opened(provider, second, models=fast(*targets, fallbacks={"context": ["larger"]})) as gateway:
        assert (await gateway.ask()).status == 200
        row = await gateway.service.row()
        assert (row.provider, row.cost_micros) == ("second", COST)
        assert row.findings == ("fallback:main/real-model-2026-01-01 context upstream_refused 400",)


@pytest.mark.parametrize("behaviour", [TOO_LONG, NOT_LIKED])
async def test_a_refusal_that_no_fallback_is_for_is_told_in_the_providers_words(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, behaviour: Behaviour
) -> None:
    provider.will(behaviour)
    async with opened(provider, second) as gateway:
        heard = await gateway.ask()
        assert (heard.status, heard.error["type"], second.calls) == (400, "invalid_request_error", [])


@pytest.mark.parametrize(
    ("behaviour", "streamed"),
    [(NOT_LIKED, False), (whole(filtered()), False), (sending(FILTERED_STREAM), True)],
    ids=["refused with 400", "whole", "streamed"],
)
async def test_a_refusal_of_content_goes_elsewhere_and_is_charged_to_nobody(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, behaviour: Behaviour, streamed: bool
) -> None:
    provider.will(behaviour)
    second.will(stream("yes") if streamed else completion("yes"))
    async with opened(provider, second, models=NEXT_ON_CONTENT) as gateway:
        heard = await gateway.ask(stream=streamed)
        assert heard.status == 200
        assert b"yes" in heard.body
        row = await gateway.service.row()
        assert (row.provider, row.attempts, row.cost_micros) == ("second", 2, COST)
        assert row.findings[0].startswith("fallback:main/real-model-2026-01-01 content")


@pytest.mark.parametrize("elsewhere", [whole(filtered()), error(500)], ids=["another refusal", "an error"])
async def test_a_refusal_is_the_answer_when_nobody_has_another_one(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, elsewhere: Behaviour
) -> None:
    provider.will(whole(filtered()))
    second.will(elsewhere)
    async with opened(provider, second, models=NEXT_ON_CONTENT) as gateway:
        heard = await gateway.ask()
        assert (heard.status, heard.json["choices"][0]["finish_reason"]) == (200, "content_filter")
        row = await gateway.service.row()
        assert (row.outcome, row.cost_micros) == (Outcome.COMPLETED, COST)


async def test_a_streamed_refusal_that_stays_the_only_answer_goes_out_whole(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(sending(FILTERED_STREAM))
    second.will(error(500))
    async with opened(provider, second, models=NEXT_ON_CONTENT) as gateway:
        heard = await gateway.ask(stream=True)
        assert heard.body.count(b"content_filter") == 1
        assert heard.body.endswith(DONE)
        assert (await gateway.service.row()).cost_micros == COST


async def test_a_stream_that_is_looked_at_goes_out_unchanged(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(stream("one ", "two"))
    async with opened(provider, models=fast(to("main"))) as gateway:
        plain = (await gateway.ask(stream=True)).body
    async with opened(provider, second, models=NEXT_ON_CONTENT) as gateway:
        assert (await gateway.ask(stream=True)).body == plain


async def test_a_target_that_does_not_begin_in_time_leaves_time_for_the_next(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(silence)
    section = {"base_url": provider.base_url, "first_byte_timeout_seconds": 0.1}
    providers = {"main": section, "second": {"base_url": second.base_url}}
    async with opened(providers=providers, models=fast(to("main"), to("second"))) as gateway:
        assert (await gateway.ask()).status == 200
        assert (await gateway.service.row()).findings[0].endswith("timeout upstream_timeout")


async def test_a_calls_deadline_holds_over_all_its_targets(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(silence)
    models = fast(to("main"), to("second"), retries={"deadline_seconds": 0.2})
    async with opened(provider, second, models=models) as gateway:
        heard = await gateway.ask()
        assert (heard.status, heard.error["code"]) == (504, "upstream_timeout")
        assert second.calls == []


async def test_a_model_that_changes_behind_its_name_is_noticed(
    opened: Open, provider: ScriptedProvider
) -> None:
    models = fast(to("main", expect_model="real-model-2025-*"))
    async with opened(provider, models=models) as gateway:
        assert (await gateway.ask()).status == 200
        provider.will(stream())
        assert (await gateway.ask(stream=True)).status == 200
        for row in await gateway.service.rows(2):
            assert row.findings == ("model:changed real-model-2026-01-01",)
        assert b'gatestack_models_changed{service="llm_gateway"} 2' in (await gateway.get("/metrics")).body


async def test_a_model_that_is_what_it_should_be_is_no_news(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, models=fast(to("main", expect_model="real-model-*"))) as gateway:
        assert (await gateway.ask()).status == 200
        assert (await gateway.service.row()).findings == ()


async def test_a_killed_target_is_passed_over_also_as_a_fallback(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(500))
    models = fast(to("main"), to("second", "backup"), fallbacks={"error": ["backup"]})
    async with opened(provider, second, models=models) as gateway:
        await gateway.edge.kill(gateway.service.parts, provider="second")
        heard = await gateway.ask()
        assert (heard.status, second.calls) == (502, [])


async def test_answers_that_break_on_their_way_open_the_circuit(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(sending([chunk({"content": "Hel"})]))
    second.will(stream())
    breaker = {"breaker": {"minimum_calls": 4, "failure_rate": 0.5}}
    async with opened(provider, second, router=breaker) as gateway:
        for _ in range(2):
            assert b"upstream_broken" in (await gateway.ask(stream=True)).body
        assert (await gateway.ask(stream=True)).body.endswith(DONE)
        [main, _] = gateway.service.app.state.routing.state()
        assert (main.circuit, main.in_flight, main.last_error) == ("open", 0, "upstream_broken")
