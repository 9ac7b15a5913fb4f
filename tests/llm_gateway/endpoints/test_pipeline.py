"""What every endpoint has in common: policy, limits, fallback, clients that leave, kills, and one entry."""

import asyncio
from typing import Any

import msgspec
import openai
import pytest

from llm_gateway.endpoints.endpoint import Spoken
from llm_gateway.endpoints.registry import ENDPOINTS
from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PROVIDER_KEY, Gateway, model_section, rule
from tests.support.endpoint_provider import embeddings
from tests.support.providers import ScriptedProvider, cut, error, silence
from tests.support.wait import SECONDS, eventually

DIALECT = Spoken.dialect
PATH = "/v1/embeddings"
ASK = {"model": "fast", "input": "hello"}
JSON_PATHS = [
    (path, {"model": "fast", "input": "a", "prompt": "a", "query": "a", "documents": ["b"]})
    for endpoint in ENDPOINTS
    if not endpoint.form and endpoint.dialect is DIALECT
    for path in endpoint.paths
]
FORM_PATHS = [path for endpoint in ENDPOINTS if endpoint.form for path in endpoint.paths]


def form(**fields: str) -> tuple[dict[str, str], bytes]:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"prompt": "a", **fields}.items()
    ]
    parts += [
        f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\nbytes\r\n'
        for name in ("file", "image")
    ]
    return {"content-type": "multipart/form-data; boundary=b"}, ("".join(parts) + "--b--\r\n").encode()


@pytest.mark.parametrize(("path", "request_body"), JSON_PATHS)
@pytest.mark.parametrize("name", ["secret", "nonsense"])
async def test_a_model_that_is_not_allowed_looks_like_one_that_is_not_there(
    opened: Open, provider: ScriptedProvider, path: str, request_body: dict[str, Any], name: str
) -> None:
    models = {"fast": model_section(), "secret": model_section(aliases=[])}
    async with opened(provider, models=models, policy={"rules": [rule(obj="model:fast")]}) as gateway:
        heard = await gateway.hear({**request_body, "model": name}, path=path)
        assert (heard.status, heard.error["code"]) == (404, "model_not_found")
        assert provider.calls == []
        row = await gateway.service.row()
        assert (row.decision, row.outcome, row.cost_micros) == ("deny", Outcome.REFUSED, 0)


@pytest.mark.parametrize("path", FORM_PATHS)
async def test_a_model_in_a_form_is_authorised_too(
    opened: Open, provider: ScriptedProvider, path: str
) -> None:
    async with opened(provider, policy={"rules": [rule(obj="model:other")]}) as gateway:
        headers, sent = form(model="fast")
        heard = await gateway.hear(sent, path=path, headers=gateway.identity() | headers)
        assert (heard.status, heard.error["code"]) == (404, "model_not_found")
        assert provider.calls == []


@pytest.mark.parametrize("path", FORM_PATHS)
async def test_a_second_model_in_a_form_is_refused(plain: Gateway, path: str) -> None:
    headers, sent = form(model="fast")
    extra = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nsecret\r\n--b--\r\n'
    sent = sent.removesuffix(b"--b--\r\n") + extra
    heard = await plain.hear(sent, path=path, headers=plain.identity() | headers)
    assert (heard.status, heard.error["param"]) == (400, "model")


@pytest.mark.parametrize("path", [*dict(JSON_PATHS), *FORM_PATHS])
async def test_garbage_is_refused_and_nobody_is_asked(
    plain: Gateway, provider: ScriptedProvider, path: str
) -> None:
    for sent in (b"", b"\x00\xff", b"[1]", b'{"model":{}}'):
        assert (await plain.hear(sent, path=path)).status == 400
    assert (await plain.get(path)).status == 405
    assert provider.calls == []


async def test_a_caller_without_a_credential_learns_nothing(plain: Gateway) -> None:
    for path in (*dict(JSON_PATHS), *FORM_PATHS):
        assert (await plain.hear(ASK, path=path, headers={})).status == 401


async def test_the_next_target_answers_instead(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(500))
    second.will(embeddings([1.0]))
    async with opened(provider, second) as gateway:
        heard = await gateway.hear(ASK, path=PATH)
        assert (heard.status, heard.json["data"][0]["embedding"]) == (200, [1.0])
        row = await gateway.service.row()
        assert (row.provider, row.attempts, row.outcome) == ("second", 2, Outcome.COMPLETED)
        assert heard.headers["x-gatestack-answer"].startswith("model=")


async def test_a_form_is_sent_again_where_the_first_target_fails(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(503))
    second.will(embeddings([1.0]))
    async with opened(provider, second) as gateway:
        headers, sent = form(model="fast")
        await gateway.hear(sent, path="/v1/images/edits", headers=gateway.identity() | headers)
        assert len(provider.last.body) == len(second.last.body) > 0


async def test_our_credential_goes_up_and_the_callers_does_not(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(embeddings([1.0]))
    headers = plain.identity() | {"cookie": "a=b", "openai-beta": "x", "traceparent": "00-1-2-01"}
    await plain.hear(ASK, path=PATH, headers=headers)
    sent = provider.last.headers
    assert sent["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert sent["openai-beta"] == "x"
    assert sent["content-type"] == "application/json"
    assert not {"cookie", "txn-token", "traceparent"} & set(sent)


async def test_the_providers_key_is_cut_out_of_its_words(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(error(400, message=f"you sent {PROVIDER_KEY}"))
    heard = await plain.hear(ASK, path=PATH)
    assert heard.status == 400
    assert PROVIDER_KEY not in heard.body.decode()


async def test_what_an_endpoint_does_not_use_is_not_set_aside(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(embeddings([1.0]))
    limits = [{"name": "few", "per": "user", "unit": "tokens", "amount": 50, "window": "day"}]
    async with opened(provider, limits=limits) as gateway:
        heard = await gateway.hear(ASK, path=PATH)
        assert (heard.status, heard.headers["x-ratelimit-limit-tokens"]) == (200, "50")
        refused = await gateway.hear({"model": "fast", "input": "x" * 400}, path=PATH)
        assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
        assert len(provider.calls) == 1


async def test_money_for_images_is_set_aside_by_the_image(opened: Open, provider: ScriptedProvider) -> None:
    limits = [{"name": "money", "per": "user", "unit": "micros", "amount": 100_000, "window": "day"}]
    models = {"drawn": model_section(price={"units": 40_000_000_000, "unit": "image"})}
    async with opened(provider, limits=limits, models=models) as gateway:
        asked = {"model": "drawn", "prompt": "a cat", "n": 3}
        heard = await gateway.hear(asked, path="/v1/images/generations")
        assert (heard.status, heard.error["code"]) == (429, "rate_limit_exceeded")
        assert provider.calls == []


async def test_a_caller_that_leaves_takes_the_call_with_it(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    provider.will(silence)
    asking = asyncio.create_task(plain.hear(ASK, path=PATH))
    await eventually(lambda: provider.calls)
    asking.cancel()
    await asyncio.wait_for(provider.last.left.wait(), SECONDS)
    row = await plain.service.row()
    assert (row.outcome, row.findings) == (Outcome.CLIENT_GONE, ("usage:estimated",))


async def test_a_kill_stops_what_is_under_way(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(silence)
    asking = asyncio.create_task(plain.hear(ASK, path=PATH))
    await eventually(lambda: provider.calls)
    await plain.edge.kill(plain.service.parts, provider="main")
    heard = await asking
    assert (heard.status, heard.error["code"]) == (403, "killed")
    assert (await plain.service.row()).outcome == Outcome.KILLED


async def test_failures_leave_chat_alone(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(cut)
    heard = [await plain.hear(ASK, path=PATH) for _ in range(6)]
    assert [each.status for each in heard] == [502] * 5 + [503]
    assert len(provider.calls) == 5


async def test_a_limit_in_the_official_client(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(embeddings([1.0]))
    limits = [{"name": "one", "per": "key", "unit": "requests", "amount": 1, "window": "day"}]
    async with opened(provider, accept=["key"], limits=limits) as gateway:
        secret, record = gateway.edge.key()
        await gateway.edge.keys(gateway.service.parts, [record])
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=secret, max_retries=0) as client:
            await client.embeddings.create(model="fast", input="a")
            with pytest.raises(openai.RateLimitError):
                await client.embeddings.create(model="fast", input="a")


def test_every_endpoint_has_a_name_and_places_of_its_own() -> None:
    names = [endpoint.name for endpoint in ENDPOINTS if endpoint.dialect is DIALECT]
    paths = [path for endpoint in ENDPOINTS for path in endpoint.paths]
    assert len(set(names)) == len(names)
    assert len(set(paths)) == len(paths)
    assert msgspec.json.encode(names)
