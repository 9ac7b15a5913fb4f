"""Streams under guard: what is split over events is found, little is held and for no longer than it must be,
and what no guard touches keeps every byte.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from a2a.utils.errors import A2AError

from agent_gateway.call import Wire
from agent_gateway.streamed import Streamed
from shared import sse
from shared.asgi import Send
from shared.guards import guard_of
from shared.guards.run import Run
from shared.guards.section import AnyGuardSection, LengthSection, PiiSection
from shared.guards.selected import Guards
from shared.guards.verdict import Occasion
from shared.http_client import HttpClient
from tests.agent_gateway.gateway import asked, gateway
from tests.agent_gateway.test_matrix import WIRES, spoken
from tests.shared.guards.calls import flight
from tests.support.agents import Heard, Parts, agent, begin, more, scripted

MAIL = "jane@example.com"
PII: dict[str, Any] = {"kind": "pii", "name": "pii"}
BOMB: dict[str, Any] = {"kind": "regex", "name": "words", "patterns": [{"name": "bomb", "pattern": "bomb"}]}
PIECES = ("write to jane@ex", "ample", ".com and to b@exam", "ple.com or", " nobody")


def guarded(*guards: dict[str, Any]) -> dict[str, Any]:
    return {"section": {"guards": list(guards)}}


def text(*pieces: str, append: bool = True, last: bool = False, name: str = "a") -> dict[str, Any]:
    artifact = {"artifactId": name, "parts": [{"text": piece} for piece in pieces]}
    ends = {"lastChunk": True} if last else {}
    return {
        "artifactUpdate": {"taskId": "t", "contextId": "c", "artifact": artifact, "append": append} | ends
    }


def status(state: str) -> dict[str, Any]:
    return {"statusUpdate": {"taskId": "t", "contextId": "c", "status": {"state": f"TASK_STATE_{state}"}}}


def streamed(section: AnyGuardSection) -> Streamed:
    guards = Guards([section], lambda one: guard_of(one, HttpClient()))
    return Streamed(Run.open(guards.active, Occasion(), flight()))


def words(events: Iterable[dict[str, Any]], name: str = "a") -> str:
    found = [event["artifactUpdate"]["artifact"] for event in events if "artifactUpdate" in event]
    return "".join(
        part.get("text", "") for one in found if one["artifactId"] == name for part in one["parts"]
    )


@pytest.mark.parametrize("theirs", WIRES)
@pytest.mark.parametrize("ours", WIRES)
async def test_what_is_split_over_events_is_taken_out(tmp_path: Path, ours: Wire, theirs: Wire) -> None:
    async with (
        agent(Parts(PIECES)) as writer,
        gateway(tmp_path, writer=writer, settings={"writer": spoken(writer, theirs)}, **guarded(PII)) as gate,
        gate.client("writer", streaming=True, wire=ours) as client,
    ):
        events = [event async for event in client.send_message(asked())]
        heard = [part.text for event in events for part in event.artifact_update.artifact.parts]
        assert "".join(heard) == "write to [EMAIL] and to [EMAIL] or nobody"
        assert heard[0] == "write to "
        row = await gate.row(outcome="completed", detail="")
    assert row.findings == ("guard:pii:EMAIL",)


@pytest.mark.parametrize("wire", WIRES)
async def test_a_stream_that_is_stopped_ends_with_an_error_before_the_word(
    tmp_path: Path, wire: Wire
) -> None:
    async with (
        agent(Parts(["First ", "you take ", "a bo", "mb and", " then"])) as writer,
        gateway(tmp_path, writer=writer, **guarded(BOMB)) as gate,
        gate.client("writer", streaming=True, wire=wire) as client,
    ):
        heard: list[str] = []

        async def listen() -> None:
            async for event in client.send_message(asked()):
                heard.extend(part.text for part in event.artifact_update.artifact.parts)

        with pytest.raises(A2AError, match="stopped by the guard 'words'"):
            await listen()
        assert "".join(heard) == "First you take a "
        await gate.row(outcome="broken", decision="deny", rule="guard:words")


async def test_events_that_no_guard_changes_keep_every_byte(tmp_path: Path) -> None:
    body = b'{"id" : "r1","jsonrpc":"2.0",  "result":%s}'
    first = (
        b": hello\r\nid: 7\ndata: " + body % msgspec.json.encode(text("all done. ", append=False)) + b"\n\n"
    )
    last = b"data: " + body % msgspec.json.encode(status("COMPLETED")) + b"\r\n\r\n"

    async def script(_: Heard, send: Send) -> None:
        await begin(send)
        await more(send, first + last)

    async with (
        scripted(script) as writer,
        gateway(tmp_path, writer=writer, **guarded(PII, BOMB)) as gate,
        gate.stream("writer") as events,
    ):
        assert await events.take(3) == [first, last]


@pytest.mark.parametrize("ends", ["COMPLETED", "INPUT_REQUIRED"])
async def test_what_is_held_goes_out_before_the_end(tmp_path: Path, ends: str) -> None:
    told = [text("write to jane@exam", append=False), status("WORKING"), text("ple.com")]
    told.append(status(ends))

    async def script(heard: Heard, send: Send) -> None:
        await begin(send)
        for event in told:
            answer = {"jsonrpc": "2.0", "id": heard.body["id"], "result": event}
            await more(send, sse.encode(msgspec.json.encode(answer)))
        await send({"type": "http.response.body", "body": b""})

    async with (
        scripted(script) as writer,
        gateway(tmp_path, writer=writer, **guarded(PII)) as gate,
        gate.stream("writer") as events,
    ):
        heard = [msgspec.json.decode(sse.data_of(event)) for event in await events.take(9)]
    results = [event["result"] for event in heard if "result" in event]
    assert words(results) == "write to [EMAIL]"
    assert results[-1] == status(ends)


async def test_each_artifact_is_a_text_of_its_own() -> None:
    guard = streamed(PiiSection(name="pii"))
    out = []
    for event in (
        text("a jane@exam", append=False),
        text("b x@exam", append=False, name="b"),
        text("ple.com "),
        text("ple.com ", name="b", last=True),
    ):
        out += await guard.feed(event, last=False)
    out += await guard.end()
    assert words(out) == "a [EMAIL] "
    assert words(out, "b") == "b [EMAIL] "


async def test_an_artifact_that_is_begun_anew_has_nothing_of_the_one_before() -> None:
    guard = streamed(PiiSection(name="pii"))
    await guard.feed(text("old jane@exam", append=False), last=False)
    out = await guard.feed(text("new words ", append=False), last=False)
    assert words([*out, *await guard.end()]) == "new words "


async def test_what_stands_between_texts_keeps_its_place() -> None:
    guard = streamed(PiiSection(name="pii"))
    event = text("write to jane", append=False, last=True)
    event["artifactUpdate"]["artifact"]["parts"] += [{"data": {"cc": MAIL}}, {"text": MAIL}]
    [out] = await guard.feed(event, last=False)
    parts = out["artifactUpdate"]["artifact"]["parts"]
    assert parts == [
        {"text": "write to "},
        {"text": "jane"},
        {"data": {"cc": "[EMAIL]"}},
        {"text": "[EMAIL]"},
    ]


async def test_the_first_event_of_an_artifact_goes_out_though_all_of_it_is_held() -> None:
    guard = streamed(PiiSection(name="pii"))
    [first] = await guard.feed(text("jane", append=False), last=False)
    assert first["artifactUpdate"]["artifact"]["parts"] == [{"text": ""}]
    assert await guard.feed(text("@exam"), last=False) == []
    assert words(await guard.feed(text("ple.com", last=True), last=False)) == "[EMAIL]"


async def test_no_more_than_so_many_artifacts_are_held() -> None:
    guard = streamed(PiiSection(name="pii"))
    out = []
    for number in range(100):
        out += await guard.feed(text("jane", append=False, name=f"a{number}"), last=False)
    assert [words(out, f"a{number}") for number in (0, 35, 36)] == ["jane", "jane", ""]
    assert len(await guard.end()) == 64


async def test_the_length_of_all_that_is_said_is_limited() -> None:
    guard = streamed(LengthSection(name="short", reply=20))
    await guard.feed(text("0123456789", append=False), last=False)
    await guard.feed(text("0123456789", name="b", append=False), last=False)
    with pytest.raises(Exception, match="longer than the 20 characters"):
        await guard.feed(text("0"), last=False)
