"""A model call that needs a person's consent waits for it; what cannot wait is refused."""

import asyncio

from tests.llm_gateway.gateway import Gateway
from tests.support.approving import BY, asks, decide, waiting
from tests.support.providers import ScriptedProvider


async def test_a_call_waits_until_it_is_approved(plain: Gateway, provider: ScriptedProvider) -> None:
    parts = plain.service.parts
    await asks(plain.edge, parts, "model:*")
    call = asyncio.create_task(plain.ask())
    assert '"content":"How are you?"' in (await waiting(parts)).approval.preview
    assert provider.calls == []
    id = await decide(parts)
    assert (await call).status == 200
    assert f"approval:{id} approved by {BY}" in (await plain.service.row()).findings


async def test_what_was_approved_for_one_address_is_not_for_another(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    parts = plain.service.parts
    await asks(plain.edge, parts, "model:*")
    for path in ("/v1/embeddings", "/v1/responses"):
        call = asyncio.create_task(plain.hear({"model": "fast", "input": "hello"}, path=path))
        assert f'"path":"{path}"' in (await waiting(parts)).approval.preview
        await decide(parts, "denied")
        assert (await call).status == 403
    assert provider.calls == []


async def test_a_refused_call_says_so_in_the_callers_dialect(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    await asks(plain.edge, plain.service.parts, "model:*")
    call = asyncio.create_task(plain.ask(stream=True))
    await decide(plain.service.parts, "denied", "too dear")
    heard = await call
    assert (heard.status, heard.error["code"]) == (403, "approval_required")
    assert "too dear" in heard.error["message"]
    assert provider.calls == []


async def test_other_endpoints_wait_too_and_what_is_not_about_one_call_is_refused(
    plain: Gateway, provider: ScriptedProvider
) -> None:
    await asks(plain.edge, plain.service.parts, "*")
    embedding = {"model": "fast", "input": "hello"}
    call = asyncio.create_task(plain.hear(embedding, path="/v1/embeddings"))
    assert "hello" in (await waiting(plain.service.parts)).approval.preview
    await decide(plain.service.parts, "denied")
    assert (await call).status == 403
    listed = await plain.get("/v1/batches")
    assert (listed.status, listed.error["code"]) == (403, "approval_required")
    assert provider.calls == []
