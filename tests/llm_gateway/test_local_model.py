"""A model that really runs, behind the gateway: every dialect's own SDK talks to it, whichever of its own
three formats the gateway asks it in.
"""

from collections.abc import AsyncIterator
from typing import Any

import pydantic
import pytest
import pytest_asyncio

from shared.ledger.row import Row
from shared.valkey import EmbeddedValkey
from tests.support.local_model import MODEL, WAYS, World, open_world
from tests.support.valkey import emptied
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]

LIMIT, FORM_LIMIT = 12, 200
WORDS = "Name three colours of the rainbow."
# What Anthropic's SDK has no argument for any more.
STILL = {"temperature": 0}
WHO = "Ada Lovelace was 36. Who was she?"

every_way = pytest.mark.parametrize("model", WAYS)


class Person(pydantic.BaseModel):
    """Short enough for what the model may say: the grammar that it is held to lets it stop nowhere else."""

    model_config = pydantic.ConfigDict(extra="forbid")
    name: str = pydantic.Field(max_length=20)
    age: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, valkey: EmbeddedValkey) -> AsyncIterator[World]:
    await emptied(valkey.url)
    async with open_world(tmp_path_factory.mktemp("local"), valkey.url) as opened:
        yield opened


@every_way
async def test_chat(world: World, model: str) -> None:
    known = await world.known()
    reply = await world.openai.chat.completions.create(
        model=model, messages=[{"role": "user", "content": WORDS}], max_tokens=LIMIT, temperature=0
    )
    assert reply.choices[0].message.content
    assert reply.choices[0].finish_reason in ("stop", "length")
    assert reply.usage is not None
    _is_billed(await world.new_row(known), reply.usage.prompt_tokens, reply.usage.completion_tokens)


@every_way
async def test_chat_streamed(world: World, model: str) -> None:
    known = await world.known()
    pieces, usage = [], None
    async for chunk in await world.openai.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": WORDS}],
        max_tokens=LIMIT,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    ):
        pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        usage = chunk.usage or usage
    assert len(pieces) > 1
    assert usage is not None
    _is_billed(await world.new_row(known), usage.prompt_tokens, usage.completion_tokens)


@every_way
async def test_responses(world: World, model: str) -> None:
    known = await world.known()
    reply = await world.openai.responses.create(
        model=model, instructions="Be brief.", input=WORDS, max_output_tokens=LIMIT, temperature=0
    )
    assert reply.output_text
    assert reply.usage is not None
    _is_billed(await world.new_row(known), reply.usage.input_tokens, reply.usage.output_tokens)


@every_way
async def test_responses_streamed(world: World, model: str) -> None:
    known = await world.known()
    pieces, last = [], None
    async for event in await world.openai.responses.create(
        model=model, input=WORDS, max_output_tokens=LIMIT, temperature=0, stream=True
    ):
        if event.type == "response.output_text.delta":
            pieces.append(event.delta)
        elif event.type in ("response.completed", "response.incomplete"):
            last = event.response
    assert last is not None
    assert (len(pieces) > 1, "".join(pieces)) == (True, last.output_text)
    assert last.usage is not None
    _is_billed(await world.new_row(known), last.usage.input_tokens, last.usage.output_tokens)


@every_way
async def test_messages(world: World, model: str) -> None:
    known = await world.known()
    reply = await world.anthropic.messages.create(
        model=model,
        max_tokens=LIMIT,
        extra_body=STILL,
        system="Be brief.",
        messages=[{"role": "user", "content": WORDS}],
    )
    [block] = reply.content
    assert block.type == "text"
    assert block.text
    assert reply.stop_reason in ("end_turn", "max_tokens")
    _is_billed(await world.new_row(known), _input(reply.usage), reply.usage.output_tokens)


@every_way
async def test_messages_streamed(world: World, model: str) -> None:
    known = await world.known()
    async with world.anthropic.messages.stream(
        model=model, max_tokens=LIMIT, messages=[{"role": "user", "content": WORDS}], extra_body=STILL
    ) as stream:
        pieces = [piece async for piece in stream.text_stream]
        reply = await stream.get_final_message()
    assert len(pieces) > 1
    _is_billed(await world.new_row(known), _input(reply.usage), reply.usage.output_tokens)


@every_way
async def test_gemini(world: World, model: str) -> None:
    known = await world.known()
    reply = await world.gemini.models.generate_content(
        model=model, contents=WORDS, config={"max_output_tokens": LIMIT, "temperature": 0}
    )
    assert reply.text
    usage = reply.usage_metadata
    _is_billed(await world.new_row(known), usage.prompt_token_count, usage.candidates_token_count)


@every_way
async def test_gemini_streamed(world: World, model: str) -> None:
    known = await world.known()
    pieces, usage = [], None
    async for chunk in await world.gemini.models.generate_content_stream(
        model=model, contents=WORDS, config={"max_output_tokens": LIMIT, "temperature": 0}
    ):
        pieces += [chunk.text] if chunk.text else []
        usage = chunk.usage_metadata or usage
    assert len(pieces) > 1
    assert usage is not None
    _is_billed(await world.new_row(known), usage.prompt_token_count, usage.candidates_token_count)


async def test_an_answer_that_has_to_fit_a_schema_in_every_dialect(world: World) -> None:
    # llama.cpp heeds schemas in chat completions only, and by that its known row has it asked.
    schema = Person.model_json_schema()
    chat = await world.openai.chat.completions.create(
        model="by-chat",
        messages=[{"role": "user", "content": WHO}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "person", "schema": schema, "strict": True},
        },
        max_tokens=FORM_LIMIT,
    )
    responses = await world.openai.responses.create(
        model="by-chat",
        input=WHO,
        text={"format": {"type": "json_schema", "name": "person", "schema": schema, "strict": True}},
        max_output_tokens=FORM_LIMIT,
    )
    messages: Any = await world.anthropic.messages.create(
        model="by-chat",
        messages=[{"role": "user", "content": WHO}],
        output_config={"format": {"type": "json_schema", "schema": schema}},
        max_tokens=FORM_LIMIT,
    )
    form = {"response_mime_type": "application/json", "response_json_schema": schema}
    gemini = await world.gemini.models.generate_content(
        model="by-chat", contents=WHO, config={"max_output_tokens": FORM_LIMIT, **form}
    )
    for text in (
        chat.choices[0].message.content or "",
        responses.output_text,
        messages.content[0].text,
        gemini.text,
    ):
        Person.model_validate_json(text, strict=True)


async def test_a_schema_holds_in_a_stream_too(world: World) -> None:
    async with world.openai.responses.stream(
        model="by-chat", input=WHO, text_format=Person, max_output_tokens=FORM_LIMIT
    ) as stream:
        response = await stream.get_final_response()
    assert isinstance(response.output_parsed, Person)


async def test_a_conversation_goes_on_by_its_id(world: World) -> None:
    first = await world.openai.responses.create(
        model="by-chat", input=WORDS, max_output_tokens=LIMIT, temperature=0
    )
    second = await world.openai.responses.create(
        model="by-chat",
        input="And one more.",
        previous_response_id=first.id,
        max_output_tokens=LIMIT,
        temperature=0,
    )
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens


async def test_who_leaves_sets_the_model_free_and_pays_for_what_was_said(world: World) -> None:
    known = await world.known()
    stream = await world.openai.chat.completions.create(
        model="by-chat", messages=[{"role": "user", "content": WORDS}], max_tokens=2000, stream=True
    )
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    await stream.close()
    row = await world.new_row(known)
    assert row.outcome == "client_gone"
    assert 0 < row.tokens_out < 2000
    await eventually(world.idle, "the model rests")


async def test_messages_of_its_own_reach_their_client_byte_by_byte(world: World) -> None:
    body = {"model": "by-messages", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"x-api-key": world.key, "anthropic-version": "2023-06-01"}
    whole = await world.gateway.hear(body, headers=headers, path="/anthropic/v1/messages")
    streamed = await world.gateway.hear(
        body | {"stream": True}, headers=headers, path="/anthropic/v1/messages"
    )
    # The server's own names of its answers, and of its model, which no translation would leave in place.
    assert whole.json["id"].startswith("chatcmpl-")
    assert (whole.json["model"], whole.json["type"]) == (MODEL, "message")
    assert b'"id":"chatcmpl-' in streamed.body.splitlines()[1]
    assert streamed.body.startswith(b"event: message_start\n")
    assert streamed.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


async def test_tokens_are_counted_by_the_model_itself(world: World) -> None:
    counted = await world.anthropic.messages.count_tokens(
        model="by-messages", messages=[{"role": "user", "content": WORDS}]
    )
    reply = await world.anthropic.messages.create(
        model="by-messages", max_tokens=1, messages=[{"role": "user", "content": WORDS}]
    )
    assert counted.input_tokens == _input(reply.usage)


def _is_billed(row: Row, tokens_in: int, tokens_out: int) -> None:
    assert (row.outcome, row.status) == ("completed", 200)
    assert (row.tokens_in, row.tokens_out) == (tokens_in, tokens_out)
    assert min(tokens_in, tokens_out) > 0
    assert row.cost_micros == tokens_in + tokens_out


def _input(usage: Any) -> int:
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return int(usage.input_tokens + cached)
