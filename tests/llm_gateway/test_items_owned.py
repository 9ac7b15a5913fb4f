"""Items that a provider keeps: named again by who has got them, and by nobody else."""

from typing import Any

import msgspec
import pytest

from llm_gateway.ask import Ask
from llm_gateway.call import Call
from llm_gateway.catalog import Target
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats.openai_responses import OpenAIResponses, OpenAIResponsesWire
from llm_gateway.guard import Inspection
from llm_gateway.memory import Memory
from llm_gateway.pin import Pin
from llm_gateway.responses import Responses, Resumed
from shared.errors import BadRequest, NotFound
from shared.identity.principal import Caller
from shared.ledger.entry import Entry
from shared.redis_client import Redis
from tests.llm_gateway import samples
from tests.llm_gateway.test_responses import entry, target
from tests.llm_gateway.uploads import own_files
from tests.support.responses_provider import message, reasoning, response
from tests.support.serve import someone

SPOKEN, WIRE = OpenAIResponses(), OpenAIResponsesWire()
ALICE, BOB = someone("user:alice"), someone("user:bob")
PLANNER = someone("user:alice", "agent:planner")
OUTPUT = (reasoning("Hm", id="rs_1"), message("Hello", id="msg_1"))


@pytest.fixture
def responses(redis: Redis) -> Responses:
    return Responses(redis, SPOKEN, own_files(redis))


def asked(*input: Any, **members: Any) -> Ask:
    return SPOKEN.read(msgspec.json.encode({"model": "fast", "input": list(input) or "hi"} | members), {})


def named(id: str) -> dict[str, str]:
    return {"type": "item_reference", "id": id}


async def answered(
    responses: Responses,
    *output: Any,
    caller: Caller = ALICE,
    by: Target | None = None,
    inspection: Inspection | None = None,
    **members: Any,
) -> Entry:
    """`by` has answered, and what there is to keep of that is kept."""
    by = by or target(native=True)
    reply: Reply = WIRE.reply(msgspec.json.encode(response(*(output or OUTPUT))))
    call = Call(
        SPOKEN, asked(**members), inspection or Inspection(), caller, Memory(Redis("unix:///nowhere"))
    )
    written = entry(by)
    for keep in responses.keepers(caller, call, samples.model(None, by), written):
        await keep(reply)
    return written


@pytest.mark.parametrize(
    "item",
    [named("rs_1"), {"id": "msg_1"}, OUTPUT[0], {"type": "reasoning", "id": "rs_1", "summary": []}],
    ids=str,
)
async def test_who_has_got_an_item_names_it_to_who_keeps_it(responses: Responses, item: Any) -> None:
    await answered(responses)
    ask = asked({"role": "user", "content": "and?"}, item)
    assert await responses.resume(ALICE, ask) == Resumed(ask, Pin(provider="main"))


async def test_everybody_else_is_told_that_there_is_none(responses: Responses) -> None:
    await answered(responses)
    errors = []
    for caller, id in (
        (BOB, "rs_1"),
        (someone("user:alice", tenant="other"), "rs_1"),
        (PLANNER, "rs_1"),
        (ALICE, "rs_9"),
    ):
        with pytest.raises(NotFound) as caught:
            await responses.resume(caller, asked(named(id)))
        errors.append((caught.value.detail.replace(id, "…"), caught.value.data))
    assert errors == errors[:1] * 4


async def test_who_sent_an_agent_may_name_what_it_got(responses: Responses) -> None:
    await answered(responses, caller=PLANNER)
    assert (await responses.resume(ALICE, asked(named("rs_1")))).pin == Pin(provider="main")


async def test_what_shall_not_be_stored_is_nobodys(responses: Responses) -> None:
    await answered(responses, store=False)
    with pytest.raises(NotFound):
        await responses.resume(ALICE, asked(named("rs_1")))


async def test_a_provider_that_keeps_nothing_has_no_items(responses: Responses) -> None:
    await answered(responses, by=target(native=False))
    with pytest.raises(NotFound):
        await responses.resume(ALICE, asked(named("rs_1")))


async def test_one_call_names_items_of_one_provider(responses: Responses) -> None:
    await answered(responses)
    other = msgspec.structs.replace(target(native=True), provider=samples.native("other"))
    await answered(responses, message("x", id="msg_2"), by=other)
    with pytest.raises(BadRequest, match="different providers"):
        await responses.resume(ALICE, asked(named("msg_1"), named("msg_2")))
    ask = asked(named("msg_1"), previous_response_id=response()["id"])
    pin = (await responses.resume(ALICE, ask)).pin
    assert pin == Pin(target="other/real", provider="main")
    with pytest.raises(BadRequest, match="cannot answer this call"):
        pin.among([target(native=True), other])


async def test_another_model_of_the_same_provider_may_go_on(responses: Responses) -> None:
    await answered(responses)
    pin = (await responses.resume(ALICE, asked(OUTPUT[0]))).pin
    larger = msgspec.structs.replace(target(native=True), model="larger")
    assert pin is not None
    assert pin.among([samples.target("other"), larger]) == (larger,)


async def test_a_request_that_a_guard_has_rewritten_leaves_its_items_their_owner(
    responses: Responses,
) -> None:
    rewritten: Chat = SPOKEN.chat(asked())
    written = await answered(responses, inspection=Inspection(chat=rewritten))
    assert written.findings == ("response:not_kept",)
    assert (await responses.resume(ALICE, asked(named("rs_1")))).pin == Pin(provider="main")
    with pytest.raises(NotFound):
        await responses.resume(ALICE, asked(previous_response_id=response()["id"]))


async def test_items_shown_under_names_of_ours_are_put_in_their_places(responses: Responses) -> None:
    ask = asked()
    reply = WIRE.reply(msgspec.json.encode(response(message("Hello"))))
    await responses.keep(ALICE, ask, reply, target(native=True), entry(target(native=True)), passed=False)
    [shown] = msgspec.json.decode(SPOKEN.reply(reply, ask))["output"]
    resumed = await responses.resume(ALICE, asked(named(shown["id"])))
    assert msgspec.json.decode(resumed.ask.body)["input"] == [shown]


def test_guards_see_a_name_for_what_it_is() -> None:
    sent = [named("msg_1"), {"role": "user", "content": "and?"}]
    chat = SPOKEN.chat(asked(*sent))
    body = msgspec.json.decode(WIRE.request(chat, "real").body)
    assert body["input"] == [sent[0], {"role": "user", "content": "and?"}]
