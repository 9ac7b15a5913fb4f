"""Gemini on either side of a running gateway: its client before its own wire, and each before a stranger."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from google import genai
from google.genai import errors, types

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PROVIDER_KEY, Gateway, provider_section
from tests.support import gemini_provider as google
from tests.support import providers
from tests.support.providers import REAL_MODEL, ScriptedProvider

PATH = "/v1beta/models/fast:generateContent"
STREAM = "/v1beta/models/fast:streamGenerateContent?alt=sse"
BODY = {"contents": [{"role": "user", "parts": [{"text": "How are you?"}]}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@contextlib.asynccontextmanager
async def in_front(opened: Open, provider: ScriptedProvider, **more: Any) -> AsyncIterator[Gateway]:
    """A gateway whose one provider is Google's."""
    known = {"main": provider_section(provider, **{"kind": "gemini", **more})}
    async with opened(provider, providers=known) as gateway:
        yield gateway


@contextlib.asynccontextmanager
async def client(gateway: Gateway) -> AsyncIterator[Any]:
    options = types.HttpOptions(base_url=gateway.url, headers=gateway.identity())
    made = genai.Client(api_key="vk-1", vertexai=False, http_options=options)
    yield made.aio
    await made.aio.aclose()
    made.close()


async def test_its_own_client_gets_its_own_providers_bytes(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(google.replying())
    async with in_front(opened, provider) as gateway:
        heard = await gateway.hear(BODY, path=PATH)
    assert (heard.status, heard.body) == (200, google.written(google.answer([google.text("Hello there")])))
    call = provider.last
    assert call.path == f"/v1/models/{REAL_MODEL}:generateContent"
    assert call.body == msgspec.json.encode(BODY)
    assert call.headers["x-goog-api-key"] == PROVIDER_KEY
    assert not {"txn-token", "authorization"} & call.headers.keys()


async def test_its_own_client_gets_its_own_providers_stream(opened: Open, provider: ScriptedProvider) -> None:
    parts = [google.text("Hel"), google.text("lo")]
    provider.will(google.replying(*parts))
    async with in_front(opened, provider) as gateway:
        heard = await gateway.hear(BODY, path=STREAM)
    assert heard.headers["content-type"].startswith("text/event-stream")
    assert heard.body == b"".join(google.events(parts))
    assert provider.last.path == f"/v1/models/{REAL_MODEL}:streamGenerateContent?alt=sse"


async def test_googles_client_runs_its_tools_through_it(opened: Open, provider: ScriptedProvider) -> None:
    def weather(city: str) -> str:
        """Tells the weather."""
        return f"sunny in {city}"

    provider.will(
        google.replying(google.call("weather", {"city": "Rome"}, signature=google.SIGNATURE)),
        google.replying(google.text("Sunny.")),
    )
    async with in_front(opened, provider) as gateway, client(gateway) as genai_client:
        config = types.GenerateContentConfig(tools=[weather])
        found = await genai_client.models.generate_content(model="fast", contents="Rome?", config=config)
    assert found.text == "Sunny."
    assert provider.last.json["contents"][1]["parts"][0]["functionCall"]["args"] == {"city": "Rome"}


async def test_vertex_is_asked_at_a_projects_place_with_a_bearer(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(google.replying())
    async with in_front(opened, provider, project="acme", region="global", kind="vertex") as gateway:
        heard = await gateway.hear(BODY, path=PATH)
    assert heard.status == 200
    place = f"/v1/projects/acme/locations/global/publishers/google/models/{REAL_MODEL}"
    assert provider.last.path == place + ":generateContent"
    assert provider.last.headers["authorization"] == f"Bearer {PROVIDER_KEY}"


async def test_an_unknown_model_is_told_in_googles_shape(opened: Open, provider: ScriptedProvider) -> None:
    async with in_front(opened, provider) as gateway, client(gateway) as genai_client:
        with pytest.raises(errors.ClientError) as caught:
            await genai_client.models.generate_content(model="unknown", contents="Hi")
    assert caught.value.status in ("NOT_FOUND", "PERMISSION_DENIED")


async def test_a_used_up_quota_reaches_googles_client(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(google.refusing(429, "RESOURCE_EXHAUSTED", retry="7s"))
    async with in_front(opened, provider) as gateway, client(gateway) as genai_client:
        with pytest.raises(errors.ClientError) as caught:
            await genai_client.models.generate_content(model="fast", contents="Hi")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert caught.value.details["error"]["details"][-1]["retryDelay"] == "7s"


async def test_a_stream_that_is_cut_ends_in_an_error(opened: Open, provider: ScriptedProvider) -> None:
    first = google.events([google.text("Hel"), google.text("lo")])[0]
    provider.will(providers.sending([first], then=providers.cut))
    texts: list[str] = []
    async with in_front(opened, provider) as gateway, client(gateway) as genai_client:

        async def read() -> None:
            async for chunk in await genai_client.models.generate_content_stream(model="fast", contents="Hi"):
                texts.append(chunk.text)

        with pytest.raises(errors.ServerError):
            await read()
    assert texts == ["Hel"]


async def test_a_caller_of_openais_gets_geminis_calls_and_need_not_know_signatures(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(
        google.replying(
            google.thought("Rome it is."),
            google.call("weather", {"city": "Rome"}, signature=google.SIGNATURE),
        ),
        google.replying(google.text("Sunny.")),
    )
    async with in_front(opened, provider) as gateway:
        first = (await gateway.ask(tools=[TOOL])).json["choices"][0]
        assert first["finish_reason"] == "tool_calls"
        (call,) = first["message"]["tool_calls"]
        assert (call["function"]["name"], call["function"]["arguments"]) == ("weather", '{"city":"Rome"}')
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        question = {"role": "user", "content": "Rome?"}
        heard = await gateway.ask(tools=[TOOL], messages=[question, said, result])
    assert heard.json["choices"][0]["message"]["content"] == "Sunny."
    assert heard.json["usage"]["prompt_tokens"] == 20
    turn, back = provider.last.json["contents"][1:]
    assert turn["parts"][-1] == google.call("weather", {"city": "Rome"}, signature=google.SIGNATURE)
    assert back["parts"] == [{"functionResponse": {"name": "weather", "response": {"output": "sunny"}}}]


async def test_a_caller_of_openais_gets_geminis_stream(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(google.replying(google.text("Hel"), google.text("lo")))
    async with in_front(opened, provider) as gateway:
        heard = await gateway.ask(stream=True)
    events = [event[6:] for event in heard.body.split(b"\n\n") if event]
    assert events[-1] == b"[DONE]"
    chunks = [msgspec.json.decode(event) for event in events[:-1]]
    texts = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(texts) == "Hello"


async def test_googles_client_gets_a_strangers_answer(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider) as gateway, client(gateway) as genai_client:
        found = await genai_client.models.generate_content(model="fast", contents="Hi")
        provider.will(providers.stream("Hel", "lo"))
        stream = await genai_client.models.generate_content_stream(model="fast", contents="Hi")
        chunks = [chunk async for chunk in stream]
    assert (found.text, found.model_version) == ("Hello there", REAL_MODEL)
    assert found.usage_metadata.cached_content_token_count == 12
    assert "".join(chunk.text or "" for chunk in chunks) == "Hello"
    assert chunks[-1].usage_metadata.thoughts_token_count == 3


async def test_a_path_that_names_no_verb_is_not_geminis(opened: Open, provider: ScriptedProvider) -> None:
    async with in_front(opened, provider) as gateway:
        heard = await gateway.get("/v1/models")
    assert "data" in heard.json
