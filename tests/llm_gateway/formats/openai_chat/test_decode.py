"""Providers' answers, however they are cut, and whatever they are."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import ToolCall
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.openai_chat import OpenAIChatWire
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from tests.llm_gateway.formats.openai_chat.samples import cut_up, decoded, golden, joined
from tests.llm_gateway.formats.openai_chat.test_golden import wire
from tests.support.providers import DONE, chunk, events

WIRE = OpenAIChatWire()
STREAMS = [case.values[0]["provider"] for case in golden("openai_chat/streams")]
PARALLEL = wire(next(items for items in STREAMS if "c1" in str(items) and "{" in str(items)))


@pytest.mark.parametrize("items", STREAMS)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_stream_says_the_same_cut_at_every_byte(items: list[object], newline: bytes) -> None:
    whole = wire(items).replace(b"\n", newline)
    expected = joined(decoded(WIRE.decoder(), [whole]))
    for border in range(1, len(whole)):
        assert joined(decoded(WIRE.decoder(), [whole[:border], whole[border:]])) == expected
    assert joined(decoded(WIRE.decoder(), [whole[i : i + 1] for i in range(len(whole))])) == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=4)), min_size=1, max_size=20))
def test_calls_side_by_side_are_told_one_after_another(pieces: list[tuple[int, str]]) -> None:
    seen: set[int] = set()
    sent, expected = b"", dict[int, str]()
    for index, text in pieces:
        known = {"id": f"c{index}", "type": "function"} if index not in seen else {}
        function = {"arguments": text} | ({"name": f"f{index}"} if index not in seen else {})
        seen.add(index)
        expected[index] = expected.get(index, "") + text
        sent += chunk({"tool_calls": [{"index": index, "function": function} | known]})
    told = decoded(WIRE.decoder(), [sent, chunk({}, finish="tool_calls"), DONE])
    ordered(told)
    calls = [part for part in joined(told).parts if isinstance(part, ToolCall)]
    assert {int(call.name[1:]): call.arguments for call in calls} == expected
    assert joined(told).stop is Stop.TOOLS


def test_the_first_of_several_calls_is_not_held_back() -> None:
    decoder = WIRE.decoder()
    first = {"index": 0, "id": "c0", "function": {"name": "a", "arguments": "{"}}
    assert any(isinstance(event, PartDelta) for event in decoder.feed(chunk({"tool_calls": [first]})))
    more = {"index": 0, "function": {"arguments": "}"}}
    assert decoder.feed(chunk({"tool_calls": [more]})) == [PartDelta(place=0, text="}")]


def test_text_after_a_call_waits_and_is_not_lost() -> None:
    call = {"index": 0, "id": "c0", "function": {"name": "a", "arguments": "{}"}}
    sent = chunk({"tool_calls": [call]}) + chunk({"content": "So."}) + chunk({}, finish="stop") + DONE
    told = decoded(WIRE.decoder(), [sent])
    ordered(told)
    assert [type(part).__name__ for part in joined(told).parts] == ["ToolCall", "Text"]


def test_a_call_without_an_id_gets_one() -> None:
    sent = chunk({"tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]})
    (part,) = joined(decoded(WIRE.decoder(), [sent + chunk({}, finish="tool_calls")])).parts
    assert part.id.startswith("call_")


def test_other_choices_than_the_first_are_not_told() -> None:
    other = msgspec.json.encode({"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": None}]})
    sent = chunk({"content": "a"}) + b"data: " + other + b"\n\n" + chunk({}, finish="stop") + DONE
    assert joined(decoded(WIRE.decoder(), [sent])).parts[0].text == "a"


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_stream_that_ends_early_is_broken(kept: int) -> None:
    with pytest.raises(UpstreamBroken):
        decoded(WIRE.decoder(), events(["a", "b"], counted=False)[:kept])


def test_an_error_in_a_stream_is_the_providers_refusal_in_its_words() -> None:
    with pytest.raises(UpstreamRefused, match="too many words") as caught:
        WIRE.decoder().feed(b'data: {"error":{"message":"too many words","code":400}}\n\n')
    assert caught.value.upstream_status == 400


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{"message":5}]}', b"\xff"]
)
def test_a_body_that_is_no_completion_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        WIRE.reply(body)


names = st.sampled_from(
    [
        "choices",
        "delta",
        "message",
        "content",
        "tool_calls",
        "function",
        "index",
        "id",
        "usage",
        "error",
        "name",
    ]
) | st.text(max_size=4)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.binary(max_size=60) | json_like.map(lambda value: wire([value])), max_size=6))
def test_whatever_bytes_come_nothing_but_an_upstream_fault_is_raised(parts: list[bytes]) -> None:
    with contextlib.suppress(UpstreamFault):
        ordered(decoded(WIRE.decoder(), parts))
    for part in parts:
        with contextlib.suppress(UpstreamFault):
            WIRE.reply(part)


@given(st.integers(0, len(PARALLEL) - 1), st.integers(0, 255), st.lists(st.integers(0, 5_000), max_size=4))
def test_a_stream_with_a_wrong_byte_raises_nothing_else(at: int, byte: int, borders: list[int]) -> None:
    broken = PARALLEL[:at] + bytes((byte,)) + PARALLEL[at + 1 :]
    with contextlib.suppress(UpstreamFault):
        ordered(decoded(WIRE.decoder(), cut_up(broken, borders)))


def ordered(told: list[Event]) -> None:
    """Asserts the order that writers rely on."""
    assert isinstance(told[0], Begin)
    assert isinstance(told[-1], End)
    place, is_open = 0, False
    for event in told[1:-1]:
        assert isinstance(event, PartBegin | PartDelta | PartEnd)
        assert event.place == place
        assert isinstance(event, PartBegin) is not is_open
        is_open = not isinstance(event, PartEnd)
        place += not is_open
    assert not is_open
