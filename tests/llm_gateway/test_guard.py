"""The stage: guards in their order, at the calls that they are for, with what they find on record and their
failures dealt with as configured.
"""

import asyncio
from collections.abc import Sequence

import pytest

from llm_gateway.chat.events import Event, PartDelta, events_of
from llm_gateway.chat.parts import Image, Text, ToolCall
from llm_gateway.chat.request import Chat
from llm_gateway.guard import NOTHING
from llm_gateway.guards.selected import ChatGuards
from shared.errors import Forbidden, Unavailable
from shared.guards.section import Expression, GuardSection, LengthSection, PiiSection, RegexSection
from shared.guards.verdict import Passage, Said, Side, Verdict, Watch
from shared.guards.watching import Active
from shared.http_client import HttpClient
from tests.llm_gateway.guards.calls import Call, collected, last, pieces, reply, said, text_of
from tests.support.serve import someone


class Marking:
    """Puts its mark behind everything it sees; or fails, or takes for ever."""

    places = ("request", "reply", "stream")
    held = ""
    restores = False

    def __init__(self, mark: str, *, fails: bool = False, sleeps: bool = False) -> None:
        self._mark = mark
        self._fails = fails
        self._sleeps = sleeps

    def watch(self, chat: Chat) -> Watch:
        return self

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        await self._trouble()
        return Verdict(findings=("seen",), texts={n: each.text + self._mark for n, each in enumerate(texts)})

    def strain(self, who: str, *, enforced: bool) -> "Marking":
        return self

    async def feed(self, text: str) -> Passage:
        await self._trouble()
        return Passage(text=text + self._mark, changed=True)

    async def end(self) -> Passage:
        return Passage()

    async def _trouble(self) -> None:
        if self._fails:
            raise ZeroDivisionError
        if self._sleeps:
            await asyncio.sleep(30)


def guards(*made: tuple[GuardSection, Marking]) -> ChatGuards:
    built = ChatGuards((), http=HttpClient())
    built.active = tuple(Active(section, guard, frozenset(guard.places)) for section, guard in made)  # type: ignore[arg-type]
    return built


def marking(
    name: str, *, fails: bool = False, sleeps: bool = False, **more: object
) -> tuple[GuardSection, Marking]:
    return GuardSection(name=name, **more), Marking(name, fails=fails, sleeps=sleeps)  # type: ignore[arg-type]


NO_BOMB = RegexSection(name="no", patterns=[Expression(name="bomb", pattern="bomb")])


async def test_guards_see_a_request_one_after_the_other() -> None:
    assert last(await Call(guards=guards(marking("a"), marking("b"))).request("x")) == "xab"


async def test_guards_see_a_reply_one_after_the_other() -> None:
    assert await Call(guards=guards(marking("a"), marking("b"))).answer("x") == "xab"


async def test_guards_see_a_stream_one_after_the_other() -> None:
    assert await Call(guards=guards(marking("a"), marking("b"))).stream(["x", "y"]) == ["xab", "yab", ""]


async def test_without_guards_nothing_is_read_and_nothing_changes() -> None:
    call = Call()
    await call.request()
    assert call.inspection is NOTHING
    assert not call.inspection.watches_reply
    given = reply("x")
    assert await call.inspection.reply(given) is given
    events: list[Event] = list(events_of(given))
    assert await call.inspection.feed(events) is events
    assert await call.inspection.end() == []


async def test_where_nobody_wants_the_reply_its_bytes_may_pass() -> None:
    call = Call(PiiSection(name="pii", on=("request",)))
    await call.request("a@example.com")
    assert call.inspection.chat is not None
    assert not call.inspection.watches_reply


@pytest.mark.parametrize("stream", [True, False])
async def test_a_guard_on_streams_alone_leaves_whole_replies_alone(stream: bool) -> None:
    call = Call(PiiSection(name="pii", on=("stream",)))
    await call.request(stream=stream)
    assert call.inspection.watches_reply is stream


async def test_one_that_only_watches_reports_and_changes_nothing() -> None:
    call = Call(PiiSection(name="pii", mode="monitor"))
    assert last(await call.request("a@example.com")) == "a@example.com"
    assert await call.answer("b@example.com") == "b@example.com"
    assert call.findings == ("guard:pii:EMAIL", "guard:pii:would_change")


async def test_one_that_only_watches_holds_nothing_back() -> None:
    call = Call(PiiSection(name="pii", mode="monitor"))
    assert await call.stream(["to a@exam", "ple.com", " now"]) == ["to a@exam", "ple.com", " now", ""]
    assert call.findings == ("guard:pii:EMAIL", "guard:pii:would_change")


async def test_one_that_only_watches_says_that_it_would_have_refused() -> None:
    section = RegexSection(name="no", mode="monitor", patterns=[Expression(name="x", pattern="bomb")])
    call = Call(section)
    await call.request("a bomb")
    assert call.findings == ("guard:no:x", "guard:no:would_refuse")


async def test_a_refusal_is_a_decision_with_its_rule() -> None:
    call = Call(NO_BOMB)
    call.entry.epoch = 7
    with pytest.raises(Forbidden, match="this request was refused by the guard 'no'") as refused:
        await call.request("a bomb")
    assert (refused.value.rule, refused.value.epoch) == ("guard:no", 7)
    assert refused.value.data == {"code": "content_filter"}


async def test_a_guard_that_fails_closes() -> None:
    call = Call(guards=guards(marking("a", fails=True)))
    with pytest.raises(Unavailable, match="'a' could not be asked"):
        await call.request("x")
    assert call.findings == ("guard:a:failed",)


async def test_a_guard_that_fails_opens_where_that_is_wanted() -> None:
    call = Call(guards=guards(marking("a", fails=True, fail="open"), marking("b")))
    assert last(await call.request("x")) == "xb"
    assert await call.answer("y") == "yb"
    assert call.findings == ("guard:a:failed", "guard:b:seen")


async def test_a_guard_that_only_watches_never_closes() -> None:
    call = Call(guards=guards(marking("a", fails=True, mode="monitor")))
    assert last(await call.request("x")) == "x"


async def test_a_guard_that_takes_too_long_has_failed() -> None:
    call = Call(guards=guards(marking("a", sleeps=True, timeout_seconds=0.01)))
    with pytest.raises(Unavailable):
        await call.request("x")


async def test_a_guard_that_fails_in_a_stream_closes_it() -> None:
    call = Call(guards=guards(marking("a", fails=True, fail="closed")))
    call.inspection = NOTHING
    with pytest.raises(Unavailable):
        await call.request("x", stream=True)


@pytest.mark.parametrize("trouble", ["fails", "sleeps"])
async def test_a_guard_that_fails_in_a_stream_opens_where_that_is_wanted(trouble: str) -> None:
    broken = marking("a", fail="open", timeout_seconds=0.01, **{trouble: True})
    call = Call(guards=guards(broken, marking("b")))
    await call.request(stream=True)
    assert await call.stream(["x", "y"]) == ["xb", "yb", ""]
    assert "guard:a:failed" in call.findings


@pytest.mark.parametrize("fail", ["open", "closed"])
async def test_more_text_than_a_guard_looks_at_is_its_failure(fail: str) -> None:
    call = Call(PiiSection(name="pii", max_chars=100, fail=fail))  # type: ignore[arg-type]
    if fail == "open":
        assert last(await call.request("x" * 100)) == "x" * 100
    else:
        with pytest.raises(Forbidden, match="more than 100 characters"):
            await call.request("x" * 100)
    assert call.findings == ("guard:pii:too_long",)


async def test_more_stream_than_a_guard_looks_at_goes_on_whole_where_it_fails_open() -> None:
    call = Call(PiiSection(name="pii", max_chars=60, fail="open"))
    text = "see a@example.com and b@example.com, " * 4
    out = "".join(await call.stream(pieces(text, 10)))
    assert out.replace("[EMAIL]", "a@example.com").replace("b@", "a@") == text.replace("b@", "a@")
    assert "guard:pii:too_long" in call.findings


async def test_findings_are_bounded_and_stand_once() -> None:
    many = RegexSection(
        name="many", action="redact", patterns=[Expression(name=f"x{n}", pattern=f"q{n}q") for n in range(50)]
    )
    call = Call(many, PiiSection(name="pii"))
    await call.request(" ".join(f"q{n}q q{n}q" for n in range(50)) + " a@example.com")
    assert len(call.findings) == 9
    assert call.findings[-1] == "guard:pii:EMAIL"


async def test_calls_of_tools_are_looked_at_when_they_are_complete() -> None:
    call = Call(PiiSection(name="pii"))
    await call.request(stream=True)
    tool = ToolCall(id="1", name="mail", arguments='{"to": "a@example.com"}', signature="sig")
    begun, *rest = list(events_of(reply(tool)))
    first = await call.inspection.feed([begun, *rest[:2]])
    assert not any(isinstance(event, PartDelta) for event in first)
    out = [*first, *await call.inspection.feed(rest[2:])]
    deltas = [event for event in out if isinstance(event, PartDelta)]
    assert deltas == [PartDelta(place=0, text='{"to":"[EMAIL]"}')]


async def test_calls_of_tools_that_nobody_changes_arrive_as_they_were() -> None:
    call = Call(PiiSection(name="pii"))
    await call.request(stream=True)
    given = reply(
        "hi", ToolCall(id="1", name="f", arguments='{ "a" : 1 }', signature="sig"), Image(url="https://x")
    )
    assert await collected(call.inspection, list(events_of(given))) == given


async def test_a_part_that_begins_with_words_is_guarded_from_its_first_word() -> None:
    call = Call(PiiSection(name="pii"))
    await call.request(stream=True)
    events = list(events_of(reply("x")))
    events[1] = type(events[1])(place=0, part=Text(text="to a@example.com "))  # type: ignore[call-arg]
    assert text_of(await collected(call.inspection, events)) == "to [EMAIL] x"


async def test_guards_are_for_whom_they_match() -> None:
    section = LengthSection(
        name="short", request=3, match={"team": "support*", "model": "fast", "tag": "beta"}
    )
    support, sales = someone(team="support-eu"), someone(team="sales")
    with pytest.raises(Forbidden):
        await Call(section, caller=support, tags=("x", "beta")).request("long text")
    for other in (Call(section, caller=sales, tags=("beta",)), Call(section, caller=support)):
        await other.request("long text")
        assert other.inspection is NOTHING


async def test_for_whom_a_guard_is_is_worked_out_once() -> None:
    built = ChatGuards([LengthSection(name="short", request=3, match={"team": "support"})], http=HttpClient())
    call = Call(guards=built)
    first = built.for_caller(someone(team="support"), call._model)
    assert first is built.for_caller(someone("user:bob", team="support"), call._model)
    assert built.for_caller(someone(team="sales"), call._model) == ()


async def test_the_order_is_that_of_the_configuration() -> None:
    redact, refuse = PiiSection(name="pii"), PiiSection(name="strict", action="refuse")
    assert last(await Call(redact, refuse).request(said("a@example.com"))) == "[EMAIL]"
    with pytest.raises(Forbidden):
        await Call(refuse, redact).request(said("a@example.com"))
