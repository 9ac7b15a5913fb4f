"""A chat call as a message to an agent, and an agent's answer as a reply, whole and streamed."""

from typing import Any

import msgspec
import pytest

from llm_gateway.chat.events import Collector
from llm_gateway.chat.parts import Image, Text
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat, Message, Tool, ToolChoice
from llm_gateway.formats.a2a import A2AWire
from shared import sse
from shared.errors import BadRequest, DelegationRefused, UpstreamBroken, UpstreamRefused

WIRE = A2AWire()
DONE = {"state": "TASK_STATE_COMPLETED"}


def asked(*messages: tuple[str, str], **more: Any) -> dict[str, Any]:
    told = tuple(Message(role=role, parts=(Text(text=text),)) for role, text in messages)  # type: ignore[arg-type]
    chat = Chat(origin="openai_chat", model="agent:planner", messages=told, **more)
    found: dict[str, Any] = msgspec.json.decode(WIRE.request(chat, "planner").body)
    return found


def texts(sent: dict[str, Any]) -> list[str]:
    return [part["text"] for part in sent["params"]["message"]["parts"]]


def test_what_is_said_once_is_the_message() -> None:
    sent = asked(("user", "hi"))
    assert (sent["method"], texts(sent)) == ("SendMessage", ["hi"])
    assert asked(("user", "hi"), stream=True)["method"] == "SendStreamingMessage"


def test_a_conversation_is_told_unless_the_agent_has_it() -> None:
    said = (("system", "Be kind."), ("user", "hi"), ("assistant", "hello"), ("user", "more"))
    assert texts(asked(*said)) == ["system: Be kind.\n\nuser: hi\n\nassistant: hello", "more"]
    known = asked(*said, metadata={"context_id": "c1"})
    assert (texts(known), known["params"]["message"]["contextId"]) == (["more"], "c1")


def test_pictures_go_along_and_settings_are_named_as_dropped() -> None:
    parts = (Text(text="what?"), Image(media_type="image/png", data="aGk="))
    chat = Chat(
        origin="openai_chat",
        model="m",
        messages=(Message(role="user", parts=parts),),
        temperature=0.5,
        tools=(Tool(name="t"),),
    )
    made = WIRE.request(chat, "planner")
    assert made.dropped == ("tools", "temperature")
    sent = msgspec.json.decode(made.body)["params"]["message"]["parts"]
    assert sent[1] == {"raw": "aGk=", "mediaType": "image/png"}


def test_a_tool_that_must_be_called_cannot_be() -> None:
    with pytest.raises(BadRequest, match="tool_choice"):
        asked(("user", "hi"), tool_choice=ToolChoice(mode="any"))
    with pytest.raises(BadRequest, match="messages"):
        asked()


def answer(**result: Any) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": "1", "result": result})


def task(status: dict[str, Any], *texts: str) -> dict[str, Any]:
    artifacts = [{"artifactId": "a", "parts": [{"text": text} for text in texts]}] if texts else []
    return {"id": "t", "contextId": "c", "status": status, "artifacts": artifacts}


def says(text: str) -> dict[str, Any]:
    return {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": text}]}


def streamed(*events: dict[str, Any]) -> Reply:
    decoder, collector = WIRE.decoder(), Collector()
    body = b"".join(sse.encode(answer(**event)) for event in events)
    for start in range(0, len(body), 7):
        for event in decoder.feed(body[start : start + 7]):
            collector.add(event)
    for event in decoder.end():
        collector.add(event)
    return collector.reply


def words(reply: Reply) -> str:
    return "".join(part.text for part in reply.parts if isinstance(part, Text))


def update(text: str) -> dict[str, Any]:
    return {"artifactUpdate": {"taskId": "t", "contextId": "c", "artifact": {"parts": [{"text": text}]}}}


def status(**told: Any) -> dict[str, Any]:
    return {"statusUpdate": {"taskId": "t", "contextId": "c", "status": told}}


def test_artifacts_are_the_answer_and_progress_is_not() -> None:
    whole = WIRE.reply(answer(task=task(DONE | {"message": says("done")}, "four", "teen")))
    assert (words(whole), whole.id) == ("fourteen", "c")
    begun = {"task": task({"state": "TASK_STATE_WORKING"})}
    working = status(state="TASK_STATE_WORKING", message=says("thinking"))
    reply = streamed(begun, working, update("four"), update("teen"), status(**DONE))
    assert (words(reply), reply.id) == ("fourteen", "c")
    assert reply.usage is not None
    assert reply.usage.tokens == 0


def test_a_message_and_a_question_are_answers() -> None:
    asks = {"state": "TASK_STATE_INPUT_REQUIRED", "message": says("which one?")}
    assert words(WIRE.reply(answer(message=says("hi")))) == words(streamed({"message": says("hi")})) == "hi"
    assert words(WIRE.reply(answer(task=task(asks)))) == words(streamed(status(**asks))) == "which one?"


def test_a_task_that_failed_is_an_error_in_its_own_words() -> None:
    failed = {"state": "TASK_STATE_FAILED", "message": says("no paper")}
    with pytest.raises(UpstreamRefused, match="task failed: no paper"):
        WIRE.reply(answer(task=task(failed)))
    with pytest.raises(UpstreamRefused, match="no paper"):
        streamed(status(**failed))


def test_a_refusal_behind_is_a_refusal_here_also_in_the_place_of_a_stream() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "DELEGATION"}
    error = {"code": -32000, "message": "already part of this chain", "data": [info]}
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": "1", "error": error})
    with pytest.raises(DelegationRefused, match="already part"):
        WIRE.reply(body)
    decoder = WIRE.decoder()
    assert decoder.feed(body[:9]) == decoder.feed(body[9:]) == []
    with pytest.raises(DelegationRefused, match="already part"):
        decoder.end()


@pytest.mark.parametrize("body", [b"oops", b"{}", b'{"jsonrpc":"2.0","id":1,"result":7}', answer()])
def test_garbage_is_garbage(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        WIRE.reply(body)
    decoder = WIRE.decoder()
    with pytest.raises(UpstreamBroken):
        decoder.feed(sse.encode(body)) or decoder.end()


def test_a_stream_that_says_nothing_is_no_answer() -> None:
    with pytest.raises(UpstreamBroken):
        streamed({"task": task({"state": "TASK_STATE_WORKING"})})
