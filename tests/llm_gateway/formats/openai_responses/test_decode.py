"""Providers' responses, however they are cut, and whatever they are."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.chat.parts import ToolCall
from llm_gateway.formats.openai_responses import OpenAIResponsesWire
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from tests.llm_gateway.formats.openai_chat.samples import Json, cut_up, decoded, golden, joined
from tests.llm_gateway.formats.openai_chat.test_decode import json_like, ordered
from tests.support.responses_provider import call, events, message, reasoning, response, wire

WIRE = OpenAIResponsesWire()
STREAMS = [case.values[0]["provider"] for case in golden("openai_responses/streams")]
RICH = wire(events(reasoning("Hm", content="ZW5j"), message(), call("f", "{}")))


@pytest.mark.parametrize("items", STREAMS)
def test_a_stream_says_the_same_cut_at_every_byte(items: list[Json]) -> None:
    whole = wire(items)
    expected = joined(decoded(WIRE.decoder(), [whole]))
    assert joined(decoded(WIRE.decoder(), [whole[i : i + 1] for i in range(len(whole))])) == expected
    for border in range(1, len(whole), 7):
        assert joined(decoded(WIRE.decoder(), [whole[:border], whole[border:]])) == expected


def test_items_side_by_side_are_told_one_after_another() -> None:
    sent = events(call("a", '{"x":1}'), call("b", '{"y":2}', call_id="call_2", id="fc_2"))
    steps = sent[2:-1]
    half = len(steps) // 2
    mixed = [event for pair in zip(steps[:half], steps[half:], strict=True) for event in pair]
    told = decoded(WIRE.decoder(), [wire([*sent[:2], *mixed, sent[-1]])])
    ordered(told)
    calls = [part for part in joined(told).parts if isinstance(part, ToolCall)]
    assert [(part.name, part.arguments) for part in calls] == [("a", '{"x":1}'), ("b", '{"y":2}')]


def test_what_only_the_end_of_an_item_tells_is_not_lost() -> None:
    sent = [event for event in events(message(), call("f", "{}")) if not event["type"].endswith(".delta")]
    told = decoded(WIRE.decoder(), [wire(sent)])
    ordered(told)
    assert joined(told) == WIRE.reply(msgspec.json.encode(response(message(), call("f", "{}"))))


@pytest.mark.parametrize("kept", range(1, 9))
def test_a_stream_that_ends_early_is_broken(kept: int) -> None:
    with pytest.raises(UpstreamBroken):
        decoded(WIRE.decoder(), [wire(events()[:kept])])


def test_a_response_that_failed_is_the_providers_refusal_in_its_words() -> None:
    failed = response(status="failed", error={"code": "server_error", "message": "it broke"})
    decoder = WIRE.decoder()
    decoder.feed(wire(events()[:2]))
    with pytest.raises(UpstreamRefused) as caught:
        decoder.feed(wire([{"type": "response.failed", "response": failed}]))
    assert msgspec.json.decode(caught.value.body)["response"]["error"]["message"] == "it broke"
    with pytest.raises(UpstreamRefused):
        WIRE.reply(msgspec.json.encode(failed))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "x", "message": "no"},
        {"type": "error", "error": {"message": "no", "code": 429}},
    ],
)
def test_an_error_event_is_the_providers_refusal(event: Json) -> None:
    with pytest.raises(UpstreamRefused):
        WIRE.decoder().feed(wire([event]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"output":5}',
        b'{"output":[5]}',
        b'{"output":[{"type":"function_call"}]}',
        b'{"output":[{"type":"message","content":[5]}]}',
        b'{"output":[],"status":"queued"}',
        b"\xff",
    ],
)
def test_a_body_that_is_no_response_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        WIRE.reply(body)


kinds = st.sampled_from(
    [
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
        "response.reasoning_summary_part.added",
        "response.completed",
        "response.failed",
        "error",
    ]
)
items = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "x"])
        | json_like,
        "call_id": json_like,
        "name": json_like,
        "content": json_like,
        "summary": json_like,
        "encrypted_content": json_like,
    },
)
random_events = st.fixed_dictionaries(
    {"type": kinds},
    optional={
        "item": items | json_like,
        "delta": st.text(max_size=3) | json_like,
        "output_index": st.integers(0, 2) | json_like,
        "content_index": st.integers(0, 2),
        "summary_index": st.integers(0, 2),
        "response": json_like,
    },
)


@given(st.lists(st.binary(max_size=60) | random_events.map(lambda event: wire([event])), max_size=8))
def test_whatever_bytes_come_nothing_but_an_upstream_fault_is_raised(parts: list[bytes]) -> None:
    with contextlib.suppress(UpstreamFault):
        ordered(decoded(WIRE.decoder(), parts))
    for part in parts:
        with contextlib.suppress(UpstreamFault):
            WIRE.reply(part)


@given(st.lists(items, max_size=3))
def test_whatever_items_come_nothing_but_an_upstream_fault_is_raised(output: list[Json]) -> None:
    with contextlib.suppress(UpstreamFault):
        WIRE.reply(msgspec.json.encode({"output": output, "status": "completed"}))


@given(st.integers(0, len(RICH) - 1), st.integers(0, 255), st.lists(st.integers(0, 5_000), max_size=4))
def test_a_stream_with_a_wrong_byte_raises_nothing_else(at: int, byte: int, borders: list[int]) -> None:
    with contextlib.suppress(UpstreamFault):
        ordered(decoded(WIRE.decoder(), cut_up(RICH[:at] + bytes((byte,)) + RICH[at + 1 :], borders)))
