"""Tokens are counted before a call as its model would count them, and nobody waits for it."""

import asyncio
from typing import Any

import msgspec
import pytest

from llm_gateway.ask import Ask
from llm_gateway.tokens import TokenCounter, count, encoding_of, warm

LOREM = "It is a truth universally acknowledged, that a single man in possession of a good fortune. " * 200


def ask(**members: Any) -> Ask:
    body = msgspec.json.encode({"model": "m"} | members)
    return Ask(model="m", stream=False, body=body, spans={}, tokens_in=len(body) // 4)


def chat(*texts: str, **members: Any) -> Ask:
    return ask(messages=[{"role": "user", "content": text} for text in texts], **members)


async def tokens(asked: Ask, model: str = "gpt-4o") -> int:
    return (await TokenCounter().count(model, asked)).tokens_in


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-5.4", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-large", "cl100k_base"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "o200k_base"),
        ("models/gemini-2.5-pro", "gemma4"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3"),
        ("mistral-large-latest", "mistral_v3"),
        ("deepseek-chat", "deepseek_v3"),
        ("Qwen/Qwen3-235B", "qwen3"),
        ("a-model-of-nobodys", "o200k_base"),
    ],
)
def test_each_model_has_its_vocabulary(model: str, name: str) -> None:
    assert encoding_of(model).name == name


def test_texts_are_counted_as_the_model_counts_them() -> None:
    assert count("gpt-4o", ["Hello, world!", " How are you?"]) == 8
    assert count("gpt-4o", []) == 0


def test_a_vocabulary_that_is_not_public_is_counted_by_the_nearest_and_a_factor() -> None:
    assert count("claude-sonnet-4-5", ["a b c d e f g h"]) == 10
    assert count("gpt-4o", ["a b c d e f g h"]) == 8


def test_words_that_look_like_markers_are_counted_as_words() -> None:
    assert count("gpt-4o", ["<|endoftext|>"]) > 1


async def test_a_short_chat_is_what_openai_says_it_is() -> None:
    # https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken: 3 a message, its role, 3 for the
    # reply
    assert await tokens(chat("hi")) == 8
    assert await tokens(chat("hi", "hi")) == 13


@pytest.mark.parametrize(
    "members",
    [
        {"messages": [{"role": "user", "content": "Hello there"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello there"}]}]},
        {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello there"}]}]},
        {"input": "Hello there"},
        {"prompt": "Hello there"},
    ],
)
async def test_every_dialect_is_understood_by_its_texts(members: dict[str, Any]) -> None:
    assert await tokens(ask(**members)) == 9


async def test_instructions_tools_and_their_schemas_count() -> None:
    tool = {
        "name": "weather",
        "description": "Says how the weather is",
        "input_schema": {"properties": {"city": {}}},
    }
    plain = await tokens(chat("hi"))
    assert await tokens(chat("hi", system="Be brief.")) == plain + 3 + 4
    assert plain + 8 < await tokens(chat("hi", tools=[tool])) < plain + 20


async def test_images_recordings_and_documents_count_by_what_they_are_not_by_their_bytes() -> None:
    data = "A" * 400_000
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    heard = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    inline = {"inlineData": {"mimeType": "image/png", "data": data}}
    file = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}
    found = [
        await TokenCounter().count("gpt-4o", ask(messages=[{"role": "user", "content": [part]}]))
        for part in (image, heard, inline, file)
    ]
    assert [(each.image_in, each.audio_in) for each in found] == [(1500, 0), (0, 187), (1500, 0), (12_000, 0)]
    assert all(each.tokens_in - each.image_in - each.audio_in < 30 for each in found)


async def test_seals_and_ids_are_not_read_by_the_model() -> None:
    content = [{"type": "thinking", "thinking": "Hello there", "signature": "x" * 5_000}]
    assert await tokens(ask(messages=[{"role": "assistant", "content": content}])) == 9


async def test_a_chat_that_comes_back_is_counted_alike() -> None:
    counter, first, longer = TokenCounter(), chat("one", LOREM), chat("one", LOREM, "two")
    once = (await counter.count("gpt-4o", first)).tokens_in
    assert (await counter.count("gpt-4o", first)).tokens_in == once
    assert (await counter.count("gpt-4o", longer)).tokens_in == once + 5
    assert (await counter.count("llama-3", first)).tokens_in != 0


async def test_what_is_remembered_stays_bounded() -> None:
    counter = TokenCounter()
    for start in range(0, 20_000, 2_000):
        await counter.count("gpt-4o", chat(*map(str, range(start, start + 2_000))))
    assert len(counter._known) <= 8192


async def test_a_very_long_request_is_left_to_its_estimate() -> None:
    asked = chat("word " * 200_000)
    assert await tokens(asked) == asked.tokens_in


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"messages":5}', b'{"messages":[' + b"[" * 5_000])
async def test_what_cannot_be_read_is_left_to_its_estimate_or_counted_as_it_is(body: bytes) -> None:
    asked = Ask(model="m", stream=False, body=body, spans={}, tokens_in=77)
    assert await tokens(asked) in (77, 7)


async def test_others_go_on_while_a_long_chat_is_counted() -> None:
    warm(["gpt-4o"])
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(other())
    # Many milliseconds of counting in small messages, each of them quick.
    await tokens(chat(*("\u4e00\u3042\U0001f600 x7# " * 400 + str(n) for n in range(80))))
    task.cancel()
    assert turns


async def test_a_part_of_countless_values_is_left_to_its_estimate() -> None:
    asked = ask(input=[{"content": [[] for _ in range(20_000)]}])
    assert await tokens(asked) == asked.tokens_in


async def test_half_a_character_is_no_reason_to_fail() -> None:
    body = b'{"messages":[{"role":"user","content":"\\ud83d"}]}'
    asked = Ask(model="m", stream=False, body=body, spans={}, tokens_in=77)
    assert await tokens(asked) == 77
