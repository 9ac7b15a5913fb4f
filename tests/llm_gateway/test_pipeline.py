"""One call from bytes in to tokens out: what goes on, what comes back, and the one row that is left of it."""

import msgspec

from shared.identity.principal import Trace
from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import COST, PROVIDER_KEY, Gateway, request
from tests.support.providers import REAL_MODEL, ScriptedProvider, completion, completion_body, error
from tests.support.serve import someone


async def test_a_call_is_answered_with_the_providers_bytes(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    heard = await plain.ask()
    assert (heard.status, heard.body) == (200, completion_body())
    assert provider.last.body == msgspec.json.encode(request(model=REAL_MODEL))
    assert (provider.last.method, provider.last.path) == ("POST", "/v1/chat/completions")


async def test_a_completed_call_leaves_a_row_with_everything_that_is_known(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    caller = someone("user:alice", "agent:planner", key="k1", parent="e0", project="p1")
    heard = await plain.ask(caller)
    row = await plain.service.row()
    assert (row.outcome, row.status, row.reason) == (Outcome.COMPLETED, 200, "")
    assert (row.resource, row.action, row.decision, row.rule) == ("model:fast", "invoke", "allow", "rules[0]")
    assert (row.model, row.provider, row.attempts) == (REAL_MODEL, "main", 1)
    assert (row.tokens_in, row.tokens_out, row.cached, row.reasoning) == (20, 8, 12, 3)
    assert (row.cost_micros, row.findings) == (COST, ())
    assert (row.chain, row.actors, row.team) == (caller.chain, caller.actors, "support")
    assert (row.key, row.project, row.credential) == ("k1", "p1", "identity")
    assert 0 < row.upstream_us <= row.duration_us
    assert heard.headers["x-gatestack-call"] == row.id


async def test_the_trace_goes_on_in_the_row_and_never_to_the_provider(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    token = plain.edge.token(
        someone(), audience="llm_gateway", trace=Trace(trace_id="a" * 32, span_id="b" * 16)
    )
    await plain.hear(request(), headers={"txn-token": token, "traceparent": f"00-{'a' * 32}-{'c' * 16}-00"})
    assert (await plain.service.row()).trace_id == "a" * 32
    assert "traceparent" not in provider.last.headers


async def test_a_provider_sees_our_credential_and_nothing_of_the_caller(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    headers = {
        **plain.identity(),
        "openai-beta": "assistants=v2",
        "openai-organization": "org-of-the-caller",
        "cookie": "session=1",
        "idempotency-key": "1",
        "x-forwarded-for": "10.0.0.1",
        "user-agent": "somebody/1",
        "x-gatestack-tenant": "other",
    }
    heard = await plain.hear(request(), headers=headers)
    assert heard.status == 200
    assert set(provider.last.headers) == {
        *("host", "content-type", "content-length", "authorization", "openai-beta", "accept-encoding"),
    }
    assert provider.last.headers["authorization"] == f"Bearer {PROVIDER_KEY}"


async def test_a_caller_sees_little_of_a_providers_headers(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    theirs = {
        "x-request-id": "req-1",
        "openai-processing-ms": "12",
        "openai-organization": "our-account",
        "x-ratelimit-remaining-requests": "9",
        "set-cookie": "a=1",
        "server": "theirs",
    }
    provider.will(completion(headers=theirs))
    heard = await plain.ask()
    assert (heard.headers["x-request-id"], heard.headers["openai-processing-ms"]) == ("req-1", "12")
    assert not {"openai-organization", "x-ratelimit-remaining-requests", "set-cookie", "server"} & set(
        heard.headers
    )


async def test_an_alias_means_the_model_that_it_belongs_to(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    heard = await plain.ask(model="gpt-4o-mini")
    assert heard.status == 200
    assert (await plain.service.row()).resource == "model:fast"


async def test_a_call_without_usage_is_estimated_and_says_so(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(completion("word " * 100, usage=None))
    await plain.ask()
    row = await plain.service.row()
    assert row.findings == ("usage:estimated",)
    assert row.tokens_in > 0
    assert row.tokens_out > 100
    assert row.cost_micros == row.tokens_in + 4 * row.tokens_out


async def test_every_call_has_its_own_row(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(completion(), error(400), completion())
    heard = [await plain.ask() for _ in range(3)]
    rows = await plain.service.rows(3)
    assert [row.id for row in rows] == [each.headers["x-gatestack-call"] for each in heard]
    assert [row.outcome for row in rows] == [Outcome.COMPLETED, Outcome.FAILED, Outcome.COMPLETED]


async def test_a_target_may_have_a_price_of_its_own(opened: Open, provider: ScriptedProvider) -> None:
    target = {"provider": "main", "model": REAL_MODEL, "price": {"in": 2_000_000}}
    models = {"fast": {"targets": [target], "price": {"in": 1, "out": 1}}}
    async with opened(provider, models=models) as gateway:
        await gateway.ask()
        assert (await gateway.service.row()).cost_micros == 40
