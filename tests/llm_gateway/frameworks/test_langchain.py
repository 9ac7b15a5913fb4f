"""LangChain's ChatOpenAI, on both of OpenAI's surfaces: an address and a key is all that it is told."""

from collections.abc import Sequence
from typing import Any

import pydantic
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from tests.llm_gateway.frameworks.scripted import (
    OSLO,
    ROME,
    SUNNY,
    Scripted,
    World,
    every_kind,
    forgetful_kinds,
)
from tests.llm_gateway.matrix.heard import PNG, TOOL
from tests.llm_gateway.matrix.upstream import TOKENS_IN, TOKENS_OUT

pytestmark = pytest.mark.asyncio(loop_scope="module")
on_both = pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])


class Person(pydantic.BaseModel):
    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def chat(world: World, scripted: Scripted, responses: bool, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=scripted.name,
        base_url=world.base_url,
        api_key=pydantic.SecretStr(world.key),
        use_responses_api=responses,
        max_retries=0,
        **more,
    )


async def loop(model: Any, messages: list[BaseMessage]) -> AIMessage:
    """Runs tools until the model has had enough."""
    while True:
        answer: AIMessage = await model.ainvoke(messages)
        messages.append(answer)
        if not answer.tool_calls:
            return answer
        messages += [await get_weather.ainvoke(dict(call)) for call in answer.tool_calls]


def text(message: BaseMessage) -> str:
    return str(message.text)


def called(calls: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(call["name"], call["args"]) for call in calls]


@every_kind
@on_both
async def test_a_tool_loop(world: World, scripted: Scripted, responses: bool) -> None:
    scripted.will(scripted.says(thinking="Hm.", calls=(OSLO, ROME)), scripted.says("Sunny in both."))
    messages: list[BaseMessage] = [HumanMessage("Weather in Oslo and Rome?")]
    answer = await loop(chat(world, scripted, responses).bind_tools([get_weather]), messages)
    assert text(answer) == "Sunny in both."
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] == TOKENS_IN
    assert answer.usage_metadata["output_tokens"] == TOKENS_OUT
    assert [message.content for message in messages if message.type == "tool"] == SUNNY
    assert (scripted.results(), scripted.keeps_thoughts()) == (SUNNY, True)


@every_kind
@on_both
async def test_a_stream(world: World, scripted: Scripted, responses: bool) -> None:
    scripted.will(scripted.streams("Hel", "lo ", "there"))
    model = chat(world, scripted, responses, stream_usage=True)
    pieces = [piece async for piece in model.astream("Hi")]
    assert [text(piece) for piece in pieces if text(piece)] == ["Hel", "lo ", "there"]
    whole = _sum(pieces)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == TOKENS_IN + TOKENS_OUT


@every_kind
@on_both
async def test_a_tool_loop_in_streams(world: World, scripted: Scripted, responses: bool) -> None:
    scripted.will(
        scripted.streams(calls=(OSLO,)),
        scripted.streams("Sun", "ny."),
    )
    model = chat(world, scripted, responses).bind_tools([get_weather])
    messages: list[BaseMessage] = [HumanMessage("Weather in Oslo?")]
    asked = _sum([piece async for piece in model.astream(messages)])  # type: ignore[misc]
    assert called(asked.tool_calls) == [(TOOL, {"city": "Oslo"})]
    messages += [asked, *[await get_weather.ainvoke(dict(call)) for call in asked.tool_calls]]
    answer = _sum([piece async for piece in model.astream(messages)])  # type: ignore[misc]
    assert text(answer) == "Sunny."
    assert scripted.results() == SUNNY[:1]


@every_kind
@on_both
async def test_structured_output(world: World, scripted: Scripted, responses: bool) -> None:
    scripted.will(scripted.says('{"name":"Ada","age":36}'))
    model = chat(world, scripted, responses).with_structured_output(Person)
    assert await model.ainvoke("Who?") == Person(name="Ada", age=36)
    assert scripted.asked_for() == {"name", "age"}


@every_kind
@on_both
async def test_a_picture(world: World, scripted: Scripted, responses: bool) -> None:
    scripted.will(scripted.says("A red pixel."))
    picture = {"type": "image", "base64": PNG, "mime_type": "image/png"}
    message = HumanMessage(content=[{"type": "text", "text": "See"}, picture])
    answer = await chat(world, scripted, responses).ainvoke([message])
    assert text(answer) == "A red pixel."
    assert scripted.upstream.image(scripted.calls[-1]) == PNG


@forgetful_kinds
async def test_a_conversation_that_the_gateway_remembers(world: World, scripted: Scripted) -> None:
    scripted.will(scripted.says(calls=(OSLO,)), scripted.says("Sunny."))
    model = chat(world, scripted, True, use_previous_response_id=True).bind_tools([get_weather])
    answer = await loop(model, [HumanMessage("Weather in Oslo?")])
    assert text(answer) == "Sunny."
    assert b"Weather in Oslo?" in scripted.calls[-1].body
    assert scripted.results() == SUNNY[:1]


def _sum(pieces: Sequence[AIMessageChunk]) -> AIMessageChunk:
    first, *rest = pieces
    for piece in rest:
        first += piece
    return first
