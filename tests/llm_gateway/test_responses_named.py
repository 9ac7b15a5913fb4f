"""Items that a caller names instead of sending them: those it has got from here, and nobody else's."""

from typing import Any

import msgspec
import pytest

from llm_gateway.ask import Ask
from llm_gateway.chat.parts import AnyPart, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats.openai_responses import OpenAIResponses
from llm_gateway.formats.openai_responses.references import item_id, response_of
from llm_gateway.responses import Responses
from shared.errors import BadRequest, NotFound
from shared.ledger.entry import Entry
from shared.redis_client import Redis
from tests.llm_gateway.uploads import own_files
from tests.support.serve import someone

SPOKEN = OpenAIResponses()
ALICE, BOB = someone("user:alice"), someone("user:bob")
PARTS: tuple[AnyPart, ...] = (
    Thinking(text="Hm", signature="s", origin="anthropic"),
    Text(text="I look."),
    ToolCall(id="c1", name="weather", arguments="{}"),
)
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "20"}


@pytest.fixture
def responses(redis: Redis) -> Responses:
    return Responses(redis, SPOKEN, own_files(redis))


def asked(*input: object, **members: object) -> Ask:
    items = [{"role": "user", "content": item} if isinstance(item, str) else item for item in input]
    return SPOKEN.read(msgspec.json.encode({"model": "fast", "input": items} | members), {})


def named(id: object, **members: object) -> dict[str, object]:
    return {"type": "item_reference", "id": id} | members


async def kept(responses: Responses, ask: Ask, *parts: AnyPart) -> list[dict[str, Any]]:
    """What the caller sees of a reply that is kept for it."""
    reply = Reply(id="x", model="real", parts=parts or PARTS, stop=Stop.TOOLS)
    written = Entry(id="e", service="llm_gateway", started_at=0)
    await responses.keep(ALICE, ask, reply, None, written, passed=False)
    shown: list[dict[str, Any]] = msgspec.json.decode(SPOKEN.reply(reply, ask))["output"]
    return shown


def test_an_item_says_to_which_response_it_belongs() -> None:
    ask = asked("hi")
    assert response_of(item_id(ask.id, "msg", 0x1FF)) == ask.id
    for id in ("", "_", "gs", "msg_", "rs_1", "msg_0123456789abcdef", "resp_gs0"):
        assert response_of(id) == ""


async def test_named_items_stand_where_their_names_stood(responses: Responses) -> None:
    output = await kept(responses, asked("Weather?"))
    names = [named(item["id"]) for item in output]
    resumed = await responses.resume(ALICE, asked("Weather?", *names, RESULT))
    whole = await responses.resume(ALICE, asked("Weather?", *output, RESULT))
    assert SPOKEN.chat(resumed.ask).messages == SPOKEN.chat(whole.ask).messages
    assert SPOKEN.chat(resumed.ask).messages[1].parts == PARTS


async def test_items_of_several_responses_may_be_named(responses: Responses) -> None:
    [first] = await kept(responses, asked("hi"), Text(text="one"))
    [second] = await kept(responses, asked("hi"), Text(text="two"))
    # Without a type it is a name too.
    resumed = await responses.resume(ALICE, asked(named(second["id"]), {"id": first["id"]}))
    [message] = SPOKEN.chat(resumed.ask).messages
    assert message.parts == (Text(text="two"), Text(text="one"))


async def test_what_goes_on_from_names_is_kept_whole(responses: Responses) -> None:
    [first] = await kept(responses, asked("hi"), Text(text="one"))
    resumed = await responses.resume(ALICE, asked(named(first["id"]), "more"))
    await kept(responses, resumed.ask, Text(text="two"))
    last = await responses.resume(ALICE, asked("and?", previous_response_id=resumed.ask.id))
    texts = [part for message in SPOKEN.chat(last.ask).messages for part in message.parts]
    assert texts == [Text(text=text) for text in ("one", "more", "two", "and?")]


async def test_somebody_elses_item_looks_like_one_that_is_not_there(responses: Responses) -> None:
    [item] = await kept(responses, asked("hi"), Text(text="secret"))
    unknown = item_id(asked("x").id, "msg", 0)
    for caller, id in ((BOB, item["id"]), (ALICE, unknown), (ALICE, item["id"][:-1] + "9")):
        with pytest.raises(NotFound) as caught:
            await responses.resume(caller, asked("x", named(id)))
        assert caught.value.data == {"param": "input[1]"}
        assert caught.value.detail.startswith(f"input[1]: there is no item {id!r}")


@pytest.mark.parametrize("id", ["rs_68af", "msg_", "", None, 7, "resp_gs", "x" * 500])
async def test_a_providers_item_that_nobody_has_got_is_not_there(responses: Responses, id: object) -> None:
    with pytest.raises(NotFound, match="there is no item"):
        await responses.resume(ALICE, asked(named(id)))


def test_a_name_that_nobody_has_looked_up_is_not_understood() -> None:
    ask = asked(named(item_id(asked("x").id, "msg", 0)))
    with pytest.raises(BadRequest, match="cannot be named by id here"):
        SPOKEN.chat(ask)


async def test_how_much_may_be_named_has_an_end(responses: Responses) -> None:
    ours = [item_id(asked("x").id, "msg", 0) for _ in range(129)]
    theirs = [f"msg_{number}" for number in range(4_097)]
    for ids, words in ((ours, "more than 128 responses"), (theirs, "more than 4096 items")):
        with pytest.raises(BadRequest, match=words):
            await responses.resume(ALICE, asked(*map(named, ids)))
