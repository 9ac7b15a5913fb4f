"""What only some of its models know."""

from typing import Any

import pytest

from llm_gateway.chat.parts import Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Message, Reasoning, Tool, ToolChoice
from tests.llm_gateway.formats.bedrock.samples import CLAUDE, LLAMA, dropped, say, sent

OPUS = "global.anthropic.claude-opus-4-6-v1"
NEXT = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5-20261001-v1:0"
OLD = "anthropic.claude-3-5-sonnet-20241022-v2:0"
NOVA, NOVA_2 = "us.amazon.nova-pro-v1:0", "us.amazon.nova-2-lite-v1:0"
GPT = "openai.gpt-oss-120b-1:0"
HIGH = Reasoning(effort="high")


def beyond(model: str, **fields: Any) -> Any:
    return sent(model=model, **fields).get("additionalModelRequestFields")


def loop(*thoughts: Thinking) -> tuple[Message, ...]:
    return (
        say("user", "Weather?"),
        say("assistant", *thoughts, ToolCall(id="a", name="weather", arguments="{}")),
        say("user", ToolResult(call_id="a", content=(Text(text="hot"),))),
    )


def test_top_k_has_a_name_for_each_family() -> None:
    assert beyond(CLAUDE, top_k=5) == {"top_k": 5}
    assert beyond(NOVA, top_k=5) == {"inferenceConfig": {"topK": 5}}
    assert beyond("cohere.command-r-plus-v1:0", top_k=5) == {"k": 5}
    assert dropped(model=LLAMA, top_k=5) == ("top_k",)


def test_claude_gets_a_budget_and_room_for_the_answer() -> None:
    body = sent(reasoning=Reasoning(budget=2_000))
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2_000}}
    assert body["inferenceConfig"] == {"maxTokens": 4_096 + 2_000}


def test_newer_claudes_get_a_level() -> None:
    body = sent(reasoning=HIGH, model=OPUS)
    assert body["additionalModelRequestFields"]["thinking"]["type"] == "adaptive"
    assert body["outputConfig"] == {"effort": "high"}


@pytest.mark.parametrize("reasoning", [Reasoning(effort="none"), Reasoning(budget=0)], ids=str)
@pytest.mark.parametrize("model", [CLAUDE, OPUS, OLD, NOVA_2, LLAMA])
def test_no_thinking_is_what_they_do_unasked(model: str, reasoning: Reasoning) -> None:
    assert sent(reasoning=reasoning, model=model) == sent(model=model)
    assert dropped(reasoning=reasoning, model=model) == ()


@pytest.mark.parametrize("model", [OLD, LLAMA, NOVA, "deepseek.r1-v1:0"])
def test_who_cannot_be_told_to_think_is_not(model: str) -> None:
    assert dropped(reasoning=HIGH, model=model) == ("reasoning",)
    assert beyond(model, reasoning=HIGH) is None


def test_other_families_that_think() -> None:
    assert beyond(GPT, reasoning=HIGH) == {"reasoning_effort": "high"}
    assert beyond(GPT, reasoning=Reasoning(effort="none")) == {"reasoning_effort": "low"}
    assert beyond(NOVA_2, reasoning=Reasoning(effort="medium")) == {
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}
    }


def test_too_small_an_answer_to_think() -> None:
    assert dropped(reasoning=HIGH, max_tokens=500) == ("reasoning",)
    assert sent(reasoning=HIGH, max_tokens=500)["inferenceConfig"] == {"maxTokens": 500}


@pytest.mark.parametrize("mode", ["any", "named"])
def test_a_forced_call_leaves_no_time_to_think(mode: Any) -> None:
    asked: dict[str, Any] = {
        "tools": (Tool(name="weather"),),
        "tool_choice": ToolChoice(mode=mode, name="weather"),
    }
    assert dropped(reasoning=HIGH, **asked) == ("reasoning",)


def test_thoughts_that_led_to_a_call_must_be_there_to_go_on_thinking() -> None:
    own = Thinking(text="hm", signature="c2ln", origin="bedrock")
    assert dropped(*loop(own), reasoning=HIGH) == ()
    assert dropped(*loop(), reasoning=HIGH) == ("reasoning",)
    assert dropped(*loop(), reasoning=HIGH, model=OPUS) == ()


def test_a_thinking_claude_is_not_sampled() -> None:
    asked: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "reasoning": HIGH}
    assert dropped(**asked) == ("temperature", "top_p", "top_k")
    assert sent(**asked)["inferenceConfig"].keys() == {"maxTokens"}
    assert dropped(temperature=1.0, top_p=1.0, reasoning=HIGH) == ()


def test_the_newest_are_never_sampled() -> None:
    assert dropped(temperature=0.5, model=NEXT) == ("temperature",)
    assert "inferenceConfig" not in sent(temperature=0.5, model=NEXT)


def test_one_way_of_sampling_at_a_time() -> None:
    assert dropped(temperature=0.5, top_p=0.9) == ("top_p",)
    assert sent(temperature=0.5, top_p=0.9)["inferenceConfig"] == {"temperature": 0.5}
    assert dropped(temperature=0.5, top_p=0.9, model=OLD) == ()


def test_which_sequence_stopped_it_is_asked_for() -> None:
    assert sent(stop=("END",))["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert "additionalModelResponseFieldPaths" not in sent(stop=("END",), model=LLAMA)
