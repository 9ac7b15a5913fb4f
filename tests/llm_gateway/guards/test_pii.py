"""Personal data: found by its form, redacted or kept from the provider, put back however a stream is cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.chat.events import events_of
from llm_gateway.chat.parts import Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, Message, Output
from shared.errors import Forbidden
from shared.guards.section import PiiSection
from tests.llm_gateway.guards.calls import Call, collected, last, pieces, reply, said, text_of

MAIL, PHONE, CARD = "jane.doe@example.com", "+49 30 1234567", "4111 1111 1111 1111"
REDACTED = "Mail [EMAIL], call [PHONE] or pay with [CREDIT_CARD]. At [IP_ADDRESS] and [IP_ADDRESS] too"
WORDS = st.sampled_from(
    [
        "the",
        "a",
        "Paris",
        "in",
        "1998",
        "(yes)",
        "naïve",
        "日本語",
        "e.g.",
        "7",
        "-",
        "x@",
        "[EMAIL",
        "\n",
        "3.14",
    ]
)
ENTITIES = st.sampled_from([MAIL, PHONE, CARD, "10.1.2.3", "123-45-6789"])


def redact(**more: object) -> PiiSection:
    return PiiSection(name="pii", **more)  # type: ignore[arg-type]


def tokenise() -> PiiSection:
    return PiiSection(name="pii", action="tokenise")


async def test_what_is_found_is_replaced_by_what_it_is() -> None:
    call = Call(redact())
    seen = await call.request(f"Write to {MAIL} or call {PHONE}, card {CARD}.")
    assert last(seen) == "Write to [EMAIL] or call [PHONE], card [CREDIT_CARD]."
    assert call.findings == ("guard:pii:EMAIL", "guard:pii:PHONE", "guard:pii:CREDIT_CARD")


async def test_a_request_without_any_goes_on_as_it_came() -> None:
    call = Call(redact())
    await call.request("How are you?")
    assert call.inspection.chat is None
    assert call.findings == ()


async def test_two_numbers_side_by_side_leave_nothing_over() -> None:
    assert last(await Call(redact()).request(f"{PHONE} {CARD}!")) == "[PHONE]!"


async def test_it_is_refused_where_the_operator_wants_that_and_not_repeated() -> None:
    call = Call(redact(action="refuse"))
    with pytest.raises(Forbidden, match="EMAIL") as refused:
        await call.request(f"Write to {MAIL}")
    assert MAIL not in refused.value.detail
    assert refused.value.rule == "guard:pii"
    assert call.findings == ("guard:pii:EMAIL", "guard:pii:refused")


async def test_allowed_values_are_left_alone() -> None:
    assert last(await Call(redact(allow=(MAIL,))).request(f"to {MAIL.upper()}")) == f"to {MAIL.upper()}"


@pytest.mark.parametrize(
    "written",
    [
        "ｊａｎｅ．ｄｏｅ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "jane.\u200bdoe@exa\u2060mple.com",
        "jane.d\u00adoe@example.com",
        "jаne.doe@example.com",
    ],
)
async def test_letters_dressed_up_do_not_hide_it(written: str) -> None:
    assert last(await Call(redact()).request(f"Mail {written} now")) == "Mail [EMAIL] now"


async def test_it_is_found_in_tool_results_arguments_and_numbers() -> None:
    chat = Chat(
        origin="openai_chat",
        model="fast",
        messages=(
            Message(
                role="assistant",
                parts=(ToolCall(id="1", name="f", arguments=f'{{"to":["{MAIL}"],"n":4111111111111111}}'),),
            ),
            Message(role="user", parts=(ToolResult(call_id="1", content=(Text(text=f"sent to {MAIL}"),)),)),
        ),
    )
    seen = await Call(redact()).request(chat)
    [call], [result] = seen.messages[0].parts, seen.messages[1].parts
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"to":["[EMAIL]"],"n":"[CREDIT_CARD]"}'
    assert isinstance(result, ToolResult)
    assert result.content[0] == Text(text="sent to [EMAIL]")


async def test_the_provider_gets_placeholders_and_the_caller_its_own_values() -> None:
    call = Call(tokenise())
    seen = await call.request(f"{MAIL}, {PHONE} and again {MAIL}; mail bob@example.org")
    assert last(seen) == "[EMAIL_1], [PHONE_1] and again [EMAIL_1]; mail [EMAIL_2]"
    assert (
        await call.answer("I wrote to [EMAIL_2] and [EMAIL_1].") == f"I wrote to bob@example.org and {MAIL}."
    )


async def test_a_placeholder_that_the_caller_wrote_itself_stays_what_it_is() -> None:
    call = Call(tokenise())
    assert last(await call.request(f"[EMAIL_1] is not {MAIL}")) == "[EMAIL_1] is not [EMAIL_2]"
    assert await call.answer("[EMAIL_1] [EMAIL_2] [EMAIL_3]") == f"[EMAIL_1] {MAIL} [EMAIL_3]"


async def test_nothing_of_one_call_is_known_to_the_next() -> None:
    section = tokenise()
    first = Call(section)
    await first.request(f"I am {MAIL}")
    second = Call(section)
    await second.request("Who am I?")
    assert await second.answer("[EMAIL_1]") == "[EMAIL_1]"


async def test_a_reply_with_values_put_back_is_for_this_caller_alone() -> None:
    call = Call(tokenise(), redact())
    await call.request("Who am I?")
    before = call.inspection.restores
    await call.request(f"I am {MAIL}")
    assert (before, call.inspection.restores) == (False, True)
    other = Call(redact())
    await other.request(f"I am {MAIL}")
    assert not other.inspection.restores


async def test_values_are_escaped_where_they_are_put_into_json() -> None:
    call = Call(tokenise())
    await call.request(said("mail o'x@example.com", output=Output(kind="json")))
    got = await call.reply('{"to":"[EMAIL_1]"}', ToolCall(id="1", name="f", arguments='{"to":"[EMAIL_1]"}'))
    assert text_of(got) == '{"to":"o\'x@example.com"}'
    assert got.parts[1] == ToolCall(id="1", name="f", arguments='{"to":"o\'x@example.com"}')


async def test_signed_thinking_keeps_its_placeholders_and_its_signature() -> None:
    call = Call(tokenise())
    await call.request(f"I am {MAIL}", stream=True)
    thought = Thinking(text="this is [EMAIL_1]", signature="sig", origin="anthropic")
    got = await collected(call.inspection, list(events_of(reply(thought, "Hello [EMAIL_1]"))))
    assert got.parts == (thought, Text(text=f"Hello {MAIL}"))


async def test_redacted_thinking_loses_its_signature() -> None:
    call = Call(redact())
    await call.request(stream=True)
    got = await collected(
        call.inspection, list(events_of(reply(Thinking(text=f"it is {MAIL}!", signature="sig"))))
    )
    assert got.parts == (Thinking(text="it is [EMAIL]!"),)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 1000])
async def test_placeholders_are_restored_however_the_stream_is_cut(size: int) -> None:
    call = Call(tokenise())
    await call.request(f"{MAIL}, {PHONE}, {CARD}", stream=True)
    out = await call.stream(pieces("Dear [EMAIL_1], [[PHONE_1]] [EMAIL_9] [CREDIT_CARD_1][EMAIL", size))
    assert "".join(out) == f"Dear {MAIL}, [{PHONE}] [EMAIL_9] {CARD}[EMAIL"


async def test_placeholders_are_restored_when_cut_in_two_at_every_place() -> None:
    text = "Ask [EMAIL_1] at [PHONE_1]."
    for at in range(len(text) + 1):
        call = Call(tokenise())
        await call.request(f"{MAIL} {PHONE}", stream=True)
        assert "".join(await call.stream([text[:at], text[at:]])) == f"Ask {MAIL} at {PHONE}."


async def test_what_a_stream_says_is_redacted_when_cut_in_two_at_every_place() -> None:
    text = f"Mail {MAIL}, call {PHONE} or pay with {CARD}. At 10.1.2.3 and 2001:db8::1 too"
    for at in range(len(text) + 1):
        out = await Call(redact()).stream([text[:at], text[at:]])
        assert "".join(out) == REDACTED


@settings(max_examples=150, deadline=None)
@given(words=st.lists(WORDS | ENTITIES, max_size=12), size=st.integers(1, 9))
async def test_a_stream_says_what_the_whole_reply_would_have_said(words: list[str], size: int) -> None:
    text = " ".join(words)
    assert "".join(await Call(redact()).stream(pieces(text, size))) == await Call(redact()).answer(text)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=120), cuts=st.lists(st.integers(0, 120), max_size=8))
async def test_text_without_any_arrives_whole_and_in_order(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    given_pieces = [text[a:b] for a, b in pairwise(edges)]
    call = Call(redact(entities=("SSN",)), tokenise())
    if not call.findings:
        assert "".join(await call.stream(given_pieces)) == text


async def test_what_is_held_back_of_prose_goes_out_with_the_next_chunk() -> None:
    prose = "The quick brown fox jumps over the lazy dog. It is 12 years old and costs 40 dollars a day. "
    chunks = [word + " " for word in (prose * 5).split()]
    out = await Call(redact()).stream(chunks)
    # How many more chunks had to come until all of one was out.
    delays, sent = [], [len("".join(out[: n + 1])) for n in range(len(out))]
    for n in range(len(chunks)):
        wanted = len("".join(chunks[: n + 1]))
        delays.append(next(k for k in range(n, len(out)) if sent[k] >= wanted) - n)
    assert sorted(delays)[len(delays) // 2] <= 1
    assert max(delays) <= 3


async def test_a_run_that_never_ends_is_not_held_for_ever() -> None:
    out = await Call(redact()).stream(pieces("a" * 5_000, 50))
    assert "".join(out) == "a" * 5_000
    assert len("".join(out[:50])) > 2_000
