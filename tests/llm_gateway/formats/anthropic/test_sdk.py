"""The official client, unmodified, reads what this format writes: whole, streamed, and when it goes wrong."""

from collections.abc import AsyncIterator

import anthropic
import pytest
from anthropic.types import MessageParam
from pydantic import BaseModel

from llm_gateway.chat.events import events_of
from llm_gateway.chat.parts import AnyPart, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from shared.clock import Clock
from shared.dialects.anthropic import Anthropic
from shared.errors import (
    BadRequest,
    Forbidden,
    GatestackError,
    LimitExceeded,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
)
from tests.llm_gateway.formats.anthropic.replies import OTHERS, OWN, reply
from tests.llm_gateway.formats.anthropic.samples import FORMAT
from tests.support.anthropic_provider import message_body
from tests.support.providers import Behaviour, Call, ScriptedProvider, cut, sending, whole

MESSAGES: list[MessageParam] = [{"role": "user", "content": "How are you?"}]
DIALECT = Anthropic(Clock())
REPLIES = OWN | OTHERS


@pytest.fixture
async def client(provider: ScriptedProvider) -> AsyncIterator[anthropic.AsyncAnthropic]:
    url = provider.base_url.removesuffix("/v1")
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


def answers(neutral: Reply) -> Behaviour:
    """What the gateway would send for `neutral`, whole or streamed as the client asks."""

    async def behave(call: Call) -> None:
        ask = FORMAT.read(call.body, {})
        if not ask.stream:
            await whole(FORMAT.reply(neutral, ask))(call)
            return
        writer = FORMAT.writer(ask)
        await sending([data for event in events_of(neutral) if (data := writer.write(event))])(call)

    return behave


def refuses(error: GatestackError) -> Behaviour:
    async def behave(call: Call) -> None:
        status, headers, body = DIALECT.refusal(error, "call-1")
        shown = {name.decode(): value.decode() for name, value in headers}
        await call.reply(status, body, shown)

    return behave


@pytest.mark.parametrize("case", REPLIES)
async def test_a_whole_reply(client: anthropic.AsyncAnthropic, provider: ScriptedProvider, case: str) -> None:
    provider.will(answers(REPLIES[case]))
    message = await client.messages.create(model="fast", max_tokens=100, messages=MESSAGES)
    assert message.role == "assistant"
    assert message.stop_reason is not None
    message.model_validate(message.to_dict())


@pytest.mark.parametrize("case", REPLIES)
async def test_a_stream_comes_to_the_same(
    client: anthropic.AsyncAnthropic, provider: ScriptedProvider, case: str
) -> None:
    provider.will(answers(REPLIES[case]))
    expected = await client.messages.create(model="fast", max_tokens=100, messages=MESSAGES)
    async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
        found = await stream.get_final_message()
    assert (found.model, found.stop_reason) == (expected.model, expected.stop_reason)
    assert found.stop_sequence == expected.stop_sequence
    if REPLIES[case].usage is not None:
        assert _given(found.usage) == _given(expected.usage)
    if case != "cut_call":  # what has no end is completed by the client, and told as it is in a whole reply
        assert [_given(block) for block in found.content] == [_given(block) for block in expected.content]


def _given(answer: BaseModel) -> dict[str, object]:
    return answer.model_dump(exclude_none=True)


async def test_text_and_usage(client: anthropic.AsyncAnthropic, provider: ScriptedProvider) -> None:
    provider.will(answers(OWN["text"]))
    async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
        pieces = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()
    assert "".join(pieces) == "Hello \N{SNOWMAN}"
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (
        6,
        12,
        2,
    )
    assert usage.output_tokens == 8
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 3


async def test_parallel_tools(client: anthropic.AsyncAnthropic, provider: ScriptedProvider) -> None:
    provider.will(answers(OWN["parallel_tools"]))
    async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
        message = await stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [("search", {"q": "Rome", "n": 1.5}), ("now", {})]
    assert message.stop_reason == "tool_use"


async def test_what_the_client_sends_back_is_what_it_got(
    client: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    parts: tuple[AnyPart, ...] = (
        Thinking(text="Hm", signature="c2ln", origin="anthropic"),
        Thinking(text="Hm hm", signature="Z3M=", origin="gemini"),
        Text(text="I look."),
        ToolCall(id="toolu_1", name="search", arguments='{"q":"x"}', signature="c2c=", origin="gemini"),
    )
    provider.will(answers(reply(*parts, stop=Stop.TOOLS)))
    async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
        message = await stream.get_final_message()
    results: MessageParam = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}],
    }
    await client.messages.create(
        model="fast",
        max_tokens=100,
        messages=[*MESSAGES, {"role": "assistant", "content": message.content}, results],
    )
    chat = FORMAT.chat(FORMAT.read(provider.last.body, {}))
    assert chat.messages[1].parts == parts


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("x"), anthropic.BadRequestError),
        (Unauthenticated("x"), anthropic.AuthenticationError),
        (Forbidden("x"), anthropic.PermissionDeniedError),
        (NotFound("x"), anthropic.NotFoundError),
        (TooLarge("x"), anthropic.RequestTooLargeError),
        (LimitExceeded("x", retry_after=3), anthropic.RateLimitError),
        (UpstreamRefused("x", upstream_status=529, retryable=True), anthropic.OverloadedError),
        (UpstreamRefused("x", upstream_status=400, retryable=False), anthropic.BadRequestError),
        (UpstreamBroken("x"), anthropic.InternalServerError),
        (UpstreamTimeout("x"), anthropic.GatewayTimeoutError),
        (Unavailable("x"), anthropic.ServiceUnavailableError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatestackError) else value.__name__,
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal(
    client: anthropic.AsyncAnthropic,
    provider: ScriptedProvider,
    error: GatestackError,
    kind: type[anthropic.APIStatusError],
    stream: bool,
) -> None:
    provider.will(refuses(error))
    with pytest.raises(kind) as caught:
        await client.messages.create(model="fast", max_tokens=100, messages=MESSAGES, stream=stream)
    assert caught.value.request_id == "call-1"
    assert caught.value.api_message == "x"


async def test_an_error_in_a_stream(client: anthropic.AsyncAnthropic, provider: ScriptedProvider) -> None:
    writer = FORMAT.writer(FORMAT.read(b'{"model":"a","max_tokens":1,"messages":[]}', {}))
    begun = [writer.write(event) for event in list(events_of(OWN["text"]))[:3]]
    event = DIALECT.event(UpstreamRefused("it is busy", upstream_status=529, retryable=True), "call-1")
    provider.will(sending([*begun, event]))
    with pytest.raises(anthropic.APIStatusError) as caught:
        async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
            [piece async for piece in stream.text_stream]
    assert (caught.value.type, caught.value.api_message) == ("overloaded_error", "it is busy")


async def test_a_stream_that_is_cut(client: anthropic.AsyncAnthropic, provider: ScriptedProvider) -> None:
    writer = FORMAT.writer(FORMAT.read(b'{"model":"a","max_tokens":1,"messages":[]}', {}))
    begun = [writer.write(event) for event in list(events_of(OWN["text"]))[:3]]
    event = DIALECT.event(UpstreamBroken("the provider's stream was cut off"), "call-1")
    provider.will(sending([*begun, event], then=cut))
    with pytest.raises(anthropic.APIStatusError, match="cut off"):
        async with client.messages.stream(model="fast", max_tokens=100, messages=MESSAGES) as stream:
            [piece async for piece in stream.text_stream]


async def test_what_the_client_asks_for_is_understood(
    client: anthropic.AsyncAnthropic, provider: ScriptedProvider
) -> None:
    provider.will(whole(message_body()))
    await client.messages.create(
        model="fast",
        max_tokens=9_000,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=MESSAGES,
        thinking={"type": "enabled", "budget_tokens": 2_000},
        tools=[{"name": "search", "input_schema": {"type": "object"}}],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        stop_sequences=["END"],
        metadata={"user_id": "user-1"},
    )
    chat = FORMAT.chat(FORMAT.read(provider.last.body, {}))
    assert chat.messages[0].parts == (Text(text="Be brief.", cache_point=True),)
    assert chat.reasoning is not None
    assert (chat.reasoning.budget, chat.user, chat.stop) == (2_000, "user-1", ("END",))
    assert chat.tool_choice is not None
    assert chat.tool_choice.parallel is False
    assert provider.last.path == "/v1/messages"
