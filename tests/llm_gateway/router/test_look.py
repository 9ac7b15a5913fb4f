"""What answers show of themselves, in each provider's own words."""

from typing import Any

import msgspec
import pytest

from llm_gateway.router.look import Look
from shared.ledger.entry import Usage

Json = dict[str, Any]
GEMINI_USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 0, "totalTokenCount": 5}


def openai(finish: str, **message: Any) -> Json:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **message},
        "finish_reason": finish,
    }
    return {"id": "c", "model": "gpt-x", "choices": [choice]}


def anthropic(stop: str, *content: Json) -> Json:
    usage = {"input_tokens": 5, "output_tokens": 1}
    return {
        "id": "m", "type": "message", "role": "assistant", "model": "claude-x", "content": list(content),
        "stop_reason": stop, "usage": usage,
    }  # fmt: skip


def gemini(finish: str, *parts: Json) -> Json:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish, "index": 0}
    return {"candidates": [candidate], "usageMetadata": GEMINI_USAGE, "modelVersion": "gemini-x"}


def bedrock(stop: str, *content: Json) -> Json:
    message = {"role": "assistant", "content": list(content)}
    usage = {"inputTokens": 5, "outputTokens": 1, "totalTokens": 6}
    return {"output": {"message": message}, "stopReason": stop, "usage": usage}


SAYS_NO: dict[str, tuple[str, Json]] = {
    "openai, filtered": ("openai_chat", openai("content_filter")),
    "openai, in words": ("openai_chat", openai("stop", refusal="I cannot help with that")),
    "anthropic": ("anthropic", anthropic("refusal")),
    "gemini": ("gemini", gemini("SAFETY")),
    "gemini, the prompt": (
        "gemini",
        {
            "promptFeedback": {"blockReason": "SAFETY"},
            "usageMetadata": GEMINI_USAGE,
            "modelVersion": "gemini-x",
        },
    ),
    "bedrock": ("bedrock", bedrock("content_filtered")),
    "bedrock, guardrail": ("bedrock", bedrock("guardrail_intervened")),
}
SAYS_SOMETHING: dict[str, tuple[str, Json]] = {
    "openai": ("openai_chat", openai("stop", content="Hello")),
    "openai, cut by the filter": ("openai_chat", openai("content_filter", content="Hel")),
    "openai, nothing at all": ("openai_chat", openai("stop", content="")),
    "anthropic": ("anthropic", anthropic("end_turn", {"type": "text", "text": "Hello"})),
    "gemini": ("gemini", gemini("STOP", {"text": "Hello"})),
    "bedrock": ("bedrock", bedrock("end_turn", {"text": "Hello"})),
}


def looked(wire: str, body: Json) -> Look:
    look = Look(wire, stream=False, content=True)
    look.whole(msgspec.json.encode(body))
    return look


@pytest.mark.parametrize("name", SAYS_NO)
def test_a_refusal_is_one_in_every_wire(name: str) -> None:
    assert looked(*SAYS_NO[name]).declined


@pytest.mark.parametrize("name", SAYS_SOMETHING)
def test_an_answer_is_none(name: str) -> None:
    assert not looked(*SAYS_SOMETHING[name]).declined


@pytest.mark.parametrize(
    ("name", "model"),
    [("openai", "gpt-x"), ("anthropic", "claude-x"), ("gemini", "gemini-x"), ("bedrock", "")],
)
def test_the_model_is_what_the_answer_calls_it(name: str, model: str) -> None:
    assert looked(*SAYS_SOMETHING[name]).model == model


def test_what_a_model_says_about_models_is_not_its_name() -> None:
    body = openai("stop", content='{"model": "another"}')
    assert looked("openai_chat", {"choices": body["choices"], "model": "gpt-x"}).model == "gpt-x"


def test_what_a_refusal_has_used_is_known() -> None:
    assert looked(*SAYS_NO["anthropic"]).usage == Usage(tokens_in=5, tokens_out=1)


def test_garbage_is_left_to_whoever_reads_it_for_the_caller() -> None:
    look = Look("openai_chat", stream=False, content=True)
    look.whole(b"<html>")
    assert (look.decided, look.declined) == (True, False)


def events(*datas: Json) -> list[bytes]:
    return [b"event: %b\ndata: %b\n\n" % (data["type"].encode(), msgspec.json.encode(data)) for data in datas]


def test_a_streamed_refusal_is_decided_at_its_end_and_an_answer_at_its_first_word() -> None:
    start = {"type": "message_start", "message": anthropic("end_turn") | {"stop_reason": None}}
    refusal = {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 1}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    word = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
    no, yes = (Look("anthropic", stream=True, content=True) for _ in range(2))
    for chunk in events(start, refusal, {"type": "message_stop"}):
        no.chunk(chunk)
    assert (no.decided, no.declined, no.model) == (True, True, "claude-x")
    for chunk in events(start, block):
        yes.chunk(chunk)
    assert not yes.decided
    yes.chunk(events(word)[0])
    assert (yes.decided, yes.declined) == (True, False)
