"""The official client, unmodified, takes what this format writes, and sends back what it was given."""

from typing import Any

import openai
import pydantic
import pytest

from llm_gateway.chat.events import Event, events_of
from llm_gateway.chat.parts import AnyPart, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.chat.request import Chat
from llm_gateway.formats.openai_chat import OpenAIChat
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.ledger.entry import Usage
from tests.llm_gateway.formats.openai_chat.samples import Json, client

FORMAT = OpenAIChat()
USAGE = Usage(tokens_in=20, tokens_out=8, cached=12, reasoning=3)
MESSAGES: Any = [{"role": "user", "content": "hi"}]
WEATHER: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CALLS = (
    ToolCall(id="c1", name="weather", arguments='{"city":"Paris"}', signature="c2ln", origin="gemini"),
    ToolCall(id="c2", name="weather", arguments='{"city":"Rome"}'),
)


class City(pydantic.BaseModel):
    name: str


class Gateway:
    """Answers with `parts`, in the form that was asked for; `heard` is what was sent to it."""

    def __init__(self, *parts: AnyPart, stop: Stop = Stop.END) -> None:
        self.parts = parts
        self.stop = stop
        self.cut: int | None = None
        self.heard: list[Chat] = []

    def __call__(self, asked: Json, raw: bytes) -> tuple[int, bytes]:
        ask = FORMAT.read(raw, {})
        self.heard.append(FORMAT.chat(ask))
        reply = Reply(id="x", model="real", parts=self.parts, stop=self.stop, usage=USAGE)
        if not ask.stream:
            return 200, FORMAT.reply(reply, ask)
        writer = FORMAT.writer(ask)
        events: list[Event] = list(events_of(reply))
        out = b"".join(writer.write(event) for event in events[: self.cut])
        if self.cut is not None:
            out += FORMAT.dialect.event(UpstreamBroken("cut off"), "r")
        return 200, out


async def streamed(gateway: Gateway, **more: Any) -> Any:
    """What the client makes of a whole stream."""
    async with (
        client(gateway) as found,
        found.chat.completions.stream(model="fast", messages=MESSAGES, **more) as stream,
    ):
        async for _ in stream:
            pass
        return await stream.get_final_completion()


async def asked(gateway: Gateway, **more: Any) -> Any:
    async with client(gateway) as found:
        return await found.chat.completions.create(**{"model": "fast", "messages": MESSAGES} | more)


@pytest.fixture(params=[asked, streamed], ids=["whole", "streamed"])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_text(ask: Any) -> None:
    answer = await ask(Gateway(Text(text="Hello "), Text(text="there")))
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "real"


async def test_usage() -> None:
    answer = await asked(Gateway(Text(text="a")))
    assert (answer.usage.total_tokens, answer.usage.prompt_tokens_details.cached_tokens) == (28, 12)
    counted = await streamed(Gateway(Text(text="a")), stream_options={"include_usage": True})
    assert counted.usage.completion_tokens_details.reasoning_tokens == 3
    assert (await streamed(Gateway(Text(text="a")))).usage is None


async def test_parallel_calls(ask: Any) -> None:
    answer = await ask(Gateway(*CALLS, stop=Stop.TOOLS), tools=WEATHER)
    calls = answer.choices[0].message.tool_calls
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        (call.id, call.name, call.arguments) for call in CALLS
    ]
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_what_was_thought_and_signed_comes_back_unchanged(ask: Any) -> None:
    thought = (
        Thinking(text="Let me ", signature="czE=", origin="anthropic"),
        Thinking(text="see.", signature="czI=", origin="anthropic"),
        Thinking(signature="ZGF0YQ==", origin="anthropic", redacted=True),
    )
    gateway = Gateway(*thought, Text(text="Look:"), *CALLS, stop=Stop.TOOLS)
    message = (await ask(gateway)).choices[0].message
    assert message.reasoning_content == "Let me see."
    results = [{"role": "tool", "tool_call_id": call.id, "content": "20"} for call in CALLS]
    shown = message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in shown["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    await asked(gateway, messages=[*MESSAGES, shown, *results])
    assert gateway.heard[-1].messages[1].parts == gateway.parts


async def test_a_refusal(ask: Any) -> None:
    answer = await ask(Gateway(Refusal(text="I cannot.")))
    assert answer.choices[0].message.refusal == "I cannot."


async def test_structured_output() -> None:
    gateway = Gateway(Text(text='{"name":"Paris"}'))
    async with client(gateway) as found:
        answer = await found.chat.completions.parse(model="fast", messages=MESSAGES, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris")
    assert gateway.heard[0].output.schema["required"] == ["name"]
    seen = await streamed(gateway, response_format=City)
    assert seen.choices[0].message.parsed == City(name="Paris")


async def test_an_older_function_call() -> None:
    gateway = Gateway(CALLS[1], stop=Stop.TOOLS)
    functions: Any = [{"name": "weather", "parameters": {"type": "object"}}]
    answer = await asked(gateway, functions=functions)
    assert answer.choices[0].message.function_call.name == "weather"
    assert answer.choices[0].finish_reason == "function_call"
    async with client(gateway) as found:
        stream: Any = await found.chat.completions.create(
            model="fast", messages=MESSAGES, functions=functions, stream=True
        )
        deltas = [chunk.choices[0].delta.function_call async for chunk in stream]
    assert "".join(delta.arguments for delta in deltas if delta) == '{"city":"Rome"}'


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        (Stop.LENGTH, "length"),
        (Stop.FILTERED, "content_filter"),
        (Stop.SEQUENCE, "stop"),
        (Stop.PAUSE, "stop"),
    ],
)
async def test_why_it_stopped(stop: Stop, finish: str) -> None:
    assert (await asked(Gateway(Text(text="a"), stop=stop))).choices[0].finish_reason == finish


@pytest.mark.parametrize("cut", [1, 3])
async def test_a_stream_that_breaks(cut: int) -> None:
    gateway = Gateway(Text(text="Hello"))
    gateway.cut = cut
    with pytest.raises(openai.APIError, match="cut off"):
        await streamed(gateway)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, openai.BadRequestError), (422, openai.UnprocessableEntityError)]
)
async def test_what_a_provider_of_another_format_refuses(
    status: int, kind: type[openai.APIStatusError]
) -> None:
    def refuse(asked: Json, raw: bytes) -> tuple[int, bytes]:
        error = UpstreamRefused("too many words", upstream_status=status, retryable=False)
        found, _, body = FORMAT.dialect.refusal(error, "r")
        return found, body

    async with client(refuse) as found:
        with pytest.raises(kind, match="too many words") as caught:
            await found.chat.completions.create(model="fast", messages=MESSAGES)
    assert caught.value.type == "invalid_request_error"
