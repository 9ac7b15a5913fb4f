"""The OpenAI Agents SDK, with both of its models: agents that use tools and hand over to each other."""

from collections.abc import AsyncIterator
from typing import Any

import agents
import openai
import pytest
import pytest_asyncio
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner
from agents.models.interface import Model

from tests.llm_gateway.frameworks.scripted import (
    OSLO,
    ROME,
    SUNNY,
    Scripted,
    World,
    every_kind,
    forgetful_kinds,
)
from tests.llm_gateway.matrix.upstream import TOKENS_IN, TOKENS_OUT

MODELS = {"chat": OpenAIChatCompletionsModel, "responses": OpenAIResponsesModel}
# Traces go to OpenAI, and of other addresses the SDK asks for usage in streams only when it is told to.
QUIET = RunConfig(tracing_disabled=True, model_settings=ModelSettings(include_usage=True))
HANDOVER: tuple[str, str, dict[str, Any]] = ("call_0", "transfer_to_forecaster", {})

pytestmark = pytest.mark.asyncio(loop_scope="module")
on_both = pytest.mark.parametrize("surface", MODELS)


@agents.function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(world: World) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=world.base_url, api_key=world.key, max_retries=0) as client:
        yield client


def forecaster(model: Model) -> Agent:
    return Agent(name="forecaster", instructions="Forecast.", model=model, tools=[get_weather])


def triage(model: Model) -> Agent:
    return Agent(name="triage", instructions="Hand over.", model=model, handoffs=[forecaster(model)])


@every_kind
@on_both
async def test_a_tool_loop_with_a_handoff(
    client: openai.AsyncOpenAI, scripted: Scripted, surface: str
) -> None:
    scripted.will(
        scripted.says(calls=(HANDOVER,)),
        scripted.says("I look.", thinking="Hm.", calls=(OSLO, ROME)),
        scripted.says("Sunny in both."),
    )
    first = triage(MODELS[surface](scripted.name, client))
    result = await Runner.run(first, "Weather in Oslo and Rome?", run_config=QUIET)
    assert (result.final_output, result.last_agent.name) == ("Sunny in both.", "forecaster")
    assert (scripted.results()[-2:], scripted.keeps_thoughts()) == (SUNNY, True)
    used = result.context_wrapper.usage
    assert (used.requests, used.input_tokens, used.output_tokens) == (3, 3 * TOKENS_IN, 3 * TOKENS_OUT)
    asked = [call.body for call in scripted.calls]
    assert [b"Hand over." in body for body in asked] == [True, False, False]
    assert [b"Forecast." in body for body in asked] == [False, True, True]


@every_kind
@on_both
async def test_a_tool_loop_in_streams(client: openai.AsyncOpenAI, scripted: Scripted, surface: str) -> None:
    scripted.will(
        scripted.streams(calls=(OSLO,)),
        scripted.streams("Sun", "ny."),
    )
    result = Runner.run_streamed(
        forecaster(MODELS[surface](scripted.name, client)), "Weather in Oslo?", run_config=QUIET
    )
    told = [event async for event in result.stream_events()]
    deltas = [
        event.data.delta
        for event in told
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    assert (deltas, result.final_output) == (["Sun", "ny."], "Sunny.")
    assert scripted.results() == SUNNY[:1]
    assert result.context_wrapper.usage.total_tokens == 2 * (TOKENS_IN + TOKENS_OUT)


@forgetful_kinds
async def test_a_conversation_that_the_gateway_remembers(
    client: openai.AsyncOpenAI, scripted: Scripted
) -> None:
    scripted.will(scripted.says(calls=(OSLO,)), scripted.says("Sunny."))
    agent = forecaster(OpenAIResponsesModel(scripted.name, client))
    result = await Runner.run(agent, "Weather in Oslo?", run_config=QUIET, auto_previous_response_id=True)
    assert result.final_output == "Sunny."
    assert b"Weather in Oslo?" in scripted.calls[-1].body
    assert scripted.results() == SUNNY[:1]
