"""Google's own client, unmodified, understands what this format writes, and says what it reads."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pydantic
import pytest
from google import genai
from google.genai import errors, types
from starlette.routing import compile_path

from llm_gateway.ask import Ask
from llm_gateway.chat.events import events_of
from llm_gateway.chat.parts import Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.chat.request import Chat, Tool
from llm_gateway.formats.gemini import Gemini, count
from llm_gateway.formats.gemini.embeddings import read as read_embeddings
from llm_gateway.formats.gemini.embeddings import reply as embeddings
from shared.dialects.gemini import Gemini as Dialect
from shared.errors import BudgetExceeded, GatestackError, LimitExceeded, UpstreamBroken
from tests.llm_gateway.formats.gemini.samples import REPLIES, reply
from tests.support.providers import Behaviour, Call, ScriptedProvider

GEMINI = Gemini()
PATTERNS = [compile_path(path)[0] for path in GEMINI.paths]
MODEL = "fast"


class City(pydantic.BaseModel):
    name: str
    people: int | None = None


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as server:
        yield server


@pytest.fixture
async def client(provider: ScriptedProvider) -> AsyncIterator[Any]:
    options = types.HttpOptions(base_url=provider.base_url.removesuffix("/v1"))
    made = genai.Client(api_key="vk-1", vertexai=False, http_options=options)
    yield made.aio
    await made.aio.aclose()
    made.close()


def asked(call: Call) -> Ask:
    path = call.path.partition("?")[0]
    params = next(found.groupdict() for pattern in PATTERNS if (found := pattern.match(path)))
    return GEMINI.read(call.body, params)


def heard(provider: ScriptedProvider) -> Chat:
    return GEMINI.chat(asked(provider.last))


def speaking(said: Reply, *, cut_after: int = 10_000, error: GatestackError | None = None) -> Behaviour:
    """Answers with `said`, whole or streamed as it was asked; `error` after so many events of a stream."""

    async def behave(call: Call) -> None:
        ask = asked(call)
        if not ask.stream:
            await call.reply(200, GEMINI.reply(said, ask))
            return
        assert call.path.endswith("?alt=sse")
        await call.start()
        writer = GEMINI.writer(ask)
        for event in list(events_of(said))[:cut_after]:
            if data := writer.write(event):
                await call.send(data)
        if error is not None:
            await call.send(Dialect().event(error, "call-1"))
        await call.end()

    return behave


def refusing(error: GatestackError) -> Behaviour:
    async def behave(call: Call) -> None:
        status, headers, body = Dialect().refusal(error, "call-1")
        await call.reply(status, body, {name.decode(): value.decode() for name, value in headers})

    return behave


async def read_all(client: Any, texts: list[str]) -> None:
    async for chunk in await client.models.generate_content_stream(model=MODEL, contents="Hi"):
        texts.append(chunk.text)


async def test_text(client: Any, provider: ScriptedProvider) -> None:
    provider.will(speaking(REPLIES["text"]))
    found = await client.models.generate_content(
        model=MODEL,
        contents="How are you?",
        config=types.GenerateContentConfig(
            system_instruction="Be brief.", temperature=0.5, max_output_tokens=9, stop_sequences=["END"]
        ),
    )
    assert (found.text, found.model_version, found.response_id) == ("Hello there", "other-1", "msg_1")
    assert found.candidates[0].finish_reason == types.FinishReason.STOP
    usage = found.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count) == (20, 5, 3)
    assert (usage.cached_content_token_count, usage.total_token_count) == (12, 28)
    chat = heard(provider)
    assert (chat.model, chat.temperature, chat.max_tokens, chat.stop) == (MODEL, 0.5, 9, ("END",))
    assert [message.role for message in chat.messages] == ["system", "user"]


async def test_a_client_of_vertex(provider: ScriptedProvider) -> None:
    options = types.HttpOptions(base_url=provider.base_url.removesuffix("/v1"))
    made: Any = genai.Client(vertexai=True, api_key="vk-1", http_options=options)
    provider.will(speaking(REPLIES["text"]))
    config = types.GenerateContentConfig(labels={"team": "support"})
    found = await made.aio.models.generate_content(model=MODEL, contents="Hi", config=config)
    assert (found.text, found.usage_metadata.total_token_count) == ("Hello there", 28)
    assert heard(provider).extra == {"labels": {"team": "support"}}
    await made.aio.aclose()
    made.close()


async def test_a_stream(client: Any, provider: ScriptedProvider) -> None:
    provider.will(speaking(reply(Thinking(text="Hm."), Text(text="Hello"))))
    stream = await client.models.generate_content_stream(model=MODEL, contents="Hi")
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.text or "" for chunk in chunks) == "Hello"
    assert chunks[0].candidates[0].content.parts[0].thought
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count == 28


def weather(city: str) -> str:
    """Tells the weather."""
    return f"sunny in {city}"


CALLS = reply(
    Thinking(text="Two cities.", signature="EqoB+/==", origin="anthropic"),
    ToolCall(id="toolu_1", name="weather", arguments='{"city":"Rome"}'),
    ToolCall(id="toolu_2", name="weather", arguments='{"city":"Oslo"}'),
    stop=Stop.TOOLS,
)


async def test_the_client_runs_parallel_tools_and_sends_all_that_was_signed_back(
    client: Any, provider: ScriptedProvider
) -> None:
    provider.will(speaking(CALLS), speaking(REPLIES["text"]))
    config = types.GenerateContentConfig(tools=[weather])
    found = await client.models.generate_content(model=MODEL, contents="Rome and Oslo?", config=config)
    assert found.text == "Hello there"
    chat = heard(provider)
    assert chat.messages[1].parts == CALLS.parts
    results = [part for part in chat.messages[2].parts if isinstance(part, ToolResult)]
    assert [(result.call_id, result.name) for result in results] == [
        ("toolu_1", "weather"),
        ("toolu_2", "weather"),
    ]
    (tool,) = chat.tools
    assert isinstance(tool, Tool)
    assert (tool.name, tool.schema["type"]) == ("weather", "object")
    assert tool.schema["properties"]["city"]["type"] == "string"


async def test_a_chat_streams_tools_and_sends_them_back(client: Any, provider: ScriptedProvider) -> None:
    provider.will(speaking(CALLS), speaking(REPLIES["text"]))
    declared = types.FunctionDeclaration(
        name="weather", parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}}
    )
    talk = client.chats.create(
        model=MODEL,
        config=types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[declared])],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        ),
    )
    chunks = [chunk async for chunk in await talk.send_message_stream("Rome and Oslo?")]
    calls = [call for chunk in chunks for call in chunk.function_calls or ()]
    assert [call.args for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    back = [types.Part.from_function_response(name=call.name, response={"output": "ok"}) for call in calls]
    assert (await talk.send_message(back)).text == "Hello there"
    chat = heard(provider)
    assert chat.messages[1].parts == CALLS.parts
    assert [part.call_id for part in chat.messages[2].parts if isinstance(part, ToolResult)] == [
        "toolu_1",
        "toolu_2",
    ]


@pytest.mark.parametrize(
    "schema", [{"response_schema": City}, {"response_json_schema": City.model_json_schema()}]
)
async def test_structured_output(client: Any, provider: ScriptedProvider, schema: dict[str, Any]) -> None:
    provider.will(speaking(reply(Text(text='{"name":"Rome","people":3}'))))
    config = types.GenerateContentConfig(response_mime_type="application/json", **schema)
    found = await client.models.generate_content(model=MODEL, contents="Rome?", config=config)
    parsed = found.parsed if isinstance(found.parsed, dict) else found.parsed.model_dump()
    assert parsed == {"name": "Rome", "people": 3}
    output = heard(provider).output
    assert (output.kind, output.schema["type"], output.schema["required"]) == ("schema", "object", ["name"])
    assert output.schema["properties"]["name"]["type"] == "string"


async def test_an_image_arrives_in_the_base64_that_others_know(
    client: Any, provider: ScriptedProvider
) -> None:
    provider.will(speaking(REPLIES["text"]))
    image = types.Part.from_bytes(data=b"\xfb\xff\xfe\x00", mime_type="image/png")
    await client.models.generate_content(model=MODEL, contents=["What is it?", image])
    (sent,) = (part for part in heard(provider).messages[0].parts if not isinstance(part, Text))
    assert msgspec.to_builtins(sent)["data"] == "+//+AA=="


async def test_thinking_is_asked_for_and_shown(client: Any, provider: ScriptedProvider) -> None:
    provider.will(speaking(REPLIES["tools"]))
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(thinking_budget=512, include_thoughts=True)
    )
    found = await client.models.generate_content(model=MODEL, contents="Hi", config=config)
    thoughts = [part.text for part in found.candidates[0].content.parts if part.thought]
    assert thoughts == ["Rome it is.", ""]
    reasoning = heard(provider).reasoning
    assert reasoning is not None
    assert (reasoning.budget, reasoning.show) == (512, True)


async def test_a_blocked_prompt(client: Any, provider: ScriptedProvider) -> None:
    provider.will(speaking(REPLIES["blocked"]))
    found = await client.models.generate_content(model=MODEL, contents="Hi")
    assert (found.text, found.prompt_feedback.block_reason) == (None, types.BlockedReason.OTHER)


async def test_a_limit_is_told_with_its_wait(client: Any, provider: ScriptedProvider) -> None:
    provider.will(refusing(LimitExceeded("too many requests", retry_after=2.2, data={"unit": "requests"})))
    with pytest.raises(errors.ClientError) as caught:
        await client.models.generate_content(model=MODEL, contents="Hi")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert caught.value.message == "too many requests"
    details = caught.value.details["error"]["details"]
    assert details[-1]["retryDelay"] == "3s"


async def test_a_refusal_of_a_stream(client: Any, provider: ScriptedProvider) -> None:
    provider.will(refusing(BudgetExceeded("no money left")))
    with pytest.raises(errors.ClientError) as caught:
        await read_all(client, [])
    assert (caught.value.code, caught.value.message) == (429, "no money left")


async def test_a_stream_that_breaks_ends_in_an_error_and_not_in_silence(
    client: Any, provider: ScriptedProvider
) -> None:
    said = reply(Text(text="Hello"))
    provider.will(speaking(said, cut_after=3, error=UpstreamBroken("the provider's stream ended too early")))
    heard_text: list[str] = []
    with pytest.raises(errors.ServerError) as caught:
        await read_all(client, heard_text)
    assert heard_text == ["Hello"]
    assert (caught.value.code, caught.value.status) == (502, "UNAVAILABLE")


async def test_embeddings(client: Any, provider: ScriptedProvider) -> None:
    seen: asyncio.Queue[Any] = asyncio.Queue()

    async def behave(call: Call) -> None:
        assert call.path == "/v1/models/embedder:batchEmbedContents"
        wanted = read_embeddings(call.body, "embedder", batch=True)
        seen.put_nowait(wanted)
        await call.reply(200, embeddings([[0.5, 0.25]] * len(wanted.texts), None, batch=True))

    provider.will(behave)
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=2)
    found = await client.models.embed_content(model="embedder", contents=["a", "b"], config=config)
    assert [each.values for each in found.embeddings] == [[0.5, 0.25], [0.5, 0.25]]
    wanted = seen.get_nowait()
    assert (wanted.texts, wanted.task, wanted.dimensions) == (("a", "b"), "RETRIEVAL_QUERY", 2)


async def test_counting(client: Any, provider: ScriptedProvider) -> None:

    async def behave(call: Call) -> None:
        assert call.path == "/v1/models/fast:countTokens"
        assert b"How are you?" in count.read(call.body)
        await call.reply(200, count.reply(4))

    provider.will(behave)
    assert (await client.models.count_tokens(model=MODEL, contents="How are you?")).total_tokens == 4
