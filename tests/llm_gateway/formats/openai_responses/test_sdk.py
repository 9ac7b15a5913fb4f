"""The official client, unmodified, takes what this format writes, and sends back what it was given."""

from typing import Any

import openai
import pydantic
import pytest

from llm_gateway.chat.events import Event, events_of
from llm_gateway.chat.parts import AnyPart, Image, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.chat.request import Chat
from llm_gateway.formats.openai_responses import OpenAIResponses
from shared.errors import NotFound, UpstreamBroken, UpstreamRefused
from shared.ledger.entry import Usage
from tests.llm_gateway.formats.openai_chat.samples import Json, client
from tests.support.responses_provider import response, wire

FORMAT = OpenAIResponses()
USAGE = Usage(tokens_in=20, tokens_out=8, cached=12, reasoning=3)
WEATHER: Any = [
    {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False},
]
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


async def streamed(gateway: Any, **more: Any) -> Any:
    """What the client makes of a whole stream."""
    async with (
        client(gateway) as found,
        found.responses.stream(**{"model": "fast", "input": "hi"} | more) as stream,
    ):
        numbers = [event.sequence_number async for event in stream]
        assert numbers == list(range(len(numbers)))
        return await stream.get_final_response()


async def asked(gateway: Any, **more: Any) -> Any:
    async with client(gateway) as found:
        return await found.responses.create(**{"model": "fast", "input": "hi"} | more)


@pytest.fixture(params=[asked, streamed], ids=["whole", "streamed"])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_text(ask: Any) -> None:
    answer = await ask(Gateway(Text(text="Hello "), Text(text="there")), metadata={"a": "b"}, temperature=0.5)
    assert answer.output_text == "Hello there"
    assert (answer.status, answer.model, answer.metadata, answer.temperature) == (
        "completed",
        "real",
        {"a": "b"},
        0.5,
    )
    assert answer.id.startswith("resp_")
    assert len(answer.output) == 1
    assert (answer.usage.total_tokens, answer.usage.output_tokens_details.reasoning_tokens) == (28, 3)


async def test_the_name_of_an_answer_is_the_same_from_its_first_event_on() -> None:
    async with client(Gateway(Text(text="a"))) as found:
        stream = await found.responses.create(model="fast", input="hi", stream=True)
        events: list[Any] = [event async for event in stream]
    assert events[0].response.id == events[-1].response.id
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


async def test_parallel_calls(ask: Any) -> None:
    answer = await ask(Gateway(Text(text="Look:"), *CALLS, stop=Stop.TOOLS), tools=WEATHER)
    assert [item.type for item in answer.output] == ["message", "function_call", "function_call"]
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [(call.call_id, call.name, call.arguments) for call in calls] == [
        (call.id, call.name, call.arguments) for call in CALLS
    ]


async def test_a_custom_call(ask: Any) -> None:
    call = ToolCall(id="c1", name="sql", arguments="select 1", custom=True)
    (item,) = (await ask(Gateway(call, stop=Stop.TOOLS))).output
    assert (item.type, item.input) == ("custom_tool_call", "select 1")


async def test_what_was_thought_and_signed_comes_back_unchanged(ask: Any) -> None:
    parts = (
        Thinking(text="Let me see.", signature="czE=", origin="anthropic"),
        Thinking(signature="ZGF0YQ==", origin="anthropic", redacted=True),
        Text(text="Look:"),
        *CALLS,
    )
    gateway = Gateway(*parts, stop=Stop.TOOLS)
    answer = await ask(gateway)
    assert answer.output[0].summary[0].text == "Let me see."
    results = [{"type": "function_call_output", "call_id": call.id, "output": "20"} for call in CALLS]
    back = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output]
    await asked(gateway, input=[{"role": "user", "content": "hi"}, *back, *results])
    assert gateway.heard[-1].messages[1].parts == parts


async def test_a_refusal(ask: Any) -> None:
    answer = await ask(Gateway(Refusal(text="I cannot.")))
    assert answer.output[0].content[0].refusal == "I cannot."


async def test_a_picture(ask: Any) -> None:
    answer = await ask(Gateway(Image(media_type="image/png", data="AAAA"), Text(text="Here")))
    assert [item.type for item in answer.output] == ["image_generation_call", "message"]
    assert answer.output[0].result == "AAAA"


async def test_structured_output() -> None:
    gateway = Gateway(Text(text='{"name":"Paris"}'))
    async with client(gateway) as found:
        answer = await found.responses.parse(model="fast", input="hi", text_format=City)
    assert answer.output_parsed == City(name="Paris")
    assert gateway.heard[0].output.schema["required"] == ["name"]
    assert (await streamed(gateway, text_format=City)).output_parsed == City(name="Paris")


@pytest.mark.parametrize(
    ("stop", "reason"), [(Stop.LENGTH, "max_output_tokens"), (Stop.FILTERED, "content_filter")]
)
async def test_why_it_is_incomplete(stop: Stop, reason: str) -> None:
    answer = await asked(Gateway(Text(text="a"), stop=stop))
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", reason)
    async with client(Gateway(Text(text="a"), stop=stop)) as found:
        stream = await found.responses.create(model="fast", input="hi", stream=True)
        assert [event async for event in stream][-1].type == "response.incomplete"


@pytest.mark.parametrize("cut", [1, 3])
async def test_a_stream_that_breaks(cut: int) -> None:
    gateway = Gateway(Text(text="Hello"))
    gateway.cut = cut
    with pytest.raises(openai.APIError, match="cut off"):
        await streamed(gateway)


async def test_a_provider_that_fails_in_a_stream_is_told_in_its_own_words() -> None:
    failed = response(status="failed", error={"code": "server_error", "message": "it broke"})
    words = wire([{"type": "response.failed", "sequence_number": 0, "response": failed}])
    error = UpstreamRefused(
        "x", upstream_status=502, body=words.partition(b"data: ")[2].strip(), retryable=True
    )

    def fail(asked: Json, raw: bytes) -> tuple[int, bytes]:
        return 200, FORMAT.dialect.event(error, "r")

    async with client(fail) as found:
        stream = await found.responses.create(model="fast", input="hi", stream=True)
        (event,) = [event async for event in stream]
    assert event.type == "response.failed"
    assert event.response.error is not None
    assert event.response.error.message == "it broke"


async def test_what_is_refused_before_it_begins() -> None:
    def refuse(asked: Json, raw: bytes) -> tuple[int, bytes]:
        status, _, body = FORMAT.dialect.refusal(NotFound("there is no response 'x'"), "r")
        return status, body

    async with client(refuse) as found:
        with pytest.raises(openai.NotFoundError, match="there is no response"):
            await found.responses.create(model="fast", input="hi", previous_response_id="x")
