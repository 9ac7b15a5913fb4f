"""Responses that are come back to: by those who got them, wherever they are kept, and by nobody else."""

from typing import Any

import msgspec
import openai
import pytest

from llm_gateway.ask import Ask
from llm_gateway.call import Call
from llm_gateway.catalog import Target
from llm_gateway.chat.parts import AnyPart, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.config import ProviderSection
from llm_gateway.formats.openai_responses import OpenAIResponses
from llm_gateway.guard import Inspection
from llm_gateway.memory import Memory
from llm_gateway.pin import Pin
from llm_gateway.prices import Price
from llm_gateway.providers.openai_compatible import OpenAICompatible
from llm_gateway.responses import NOT_KEPT, Responses, Resumed, joined
from shared.errors import BadRequest, GatestackError, NotFound, Unavailable
from shared.identity.principal import Caller
from shared.ledger.entry import Entry
from shared.redis_client import Redis
from tests.llm_gateway import samples
from tests.llm_gateway.formats.openai_chat.samples import Json, client
from tests.llm_gateway.uploads import own_files
from tests.support.serve import someone

SPOKEN = OpenAIResponses()
ALICE = someone("user:alice")
WEATHER: Any = [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}]


def entry(target: Target) -> Entry:
    return Entry(
        id="e", service="llm_gateway", started_at=0, provider=target.provider.name, model=target.model
    )


def target(*, native: bool) -> Target:
    wires: Any = ("openai_chat", "openai_responses") if native else ("openai_chat",)
    section = ProviderSection(base_url="http://127.0.0.1:9/v1", wires=wires)
    return Target(OpenAICompatible("main", section), "real", Price())


def asked(**members: object) -> Ask:
    return SPOKEN.read(msgspec.json.encode({"model": "fast", "input": "hi"} | members), {})


def reply(*parts: AnyPart, id: str = "x", stop: Stop = Stop.END) -> Reply:
    return Reply(id=id, model="real", parts=parts or (Text(text="Hello"),), stop=stop)


def input_of(resumed: Resumed) -> Any:
    return msgspec.json.decode(resumed.ask.body)["input"]


@pytest.fixture
def responses(redis: Redis) -> Responses:
    return Responses(redis, SPOKEN, own_files(redis))


async def kept(
    responses: Responses,
    ask: Ask,
    answer: Reply | None = None,
    *,
    native: bool = False,
    passed: bool = False,
    caller: Caller = ALICE,
) -> Entry:
    answering = target(native=native)
    written = entry(answering)
    inspection = Inspection()
    inspection.watches_reply = not passed
    call = Call(SPOKEN, ask, inspection, caller, Memory(Redis("unix:///nowhere")))
    for keep in responses.keepers(caller, call, samples.model(None, answering), written):
        await keep(answer or reply())
    return written


async def test_a_request_that_follows_nothing_stays_as_it_is(responses: Responses) -> None:
    for ask in (asked(), asked(previous_response_id=None)):
        assert (await responses.resume(ALICE, ask)) == Resumed(ask)


async def test_a_conversation_kept_here_is_said_again(responses: Responses) -> None:
    first = asked(instructions="Be brief.")
    thought = Thinking(text="Hm", signature="s", origin="anthropic")
    call = ToolCall(id="c1", name="weather", arguments="{}")
    await kept(responses, first, reply(thought, call))
    result = {"type": "function_call_output", "call_id": "c1", "output": "20"}
    second = asked(input=[result], previous_response_id=first.id)
    resumed = await responses.resume(ALICE, second)
    assert resumed.pin is None
    assert resumed.ask.id == second.id
    assert resumed.ask.tokens_in > second.tokens_in
    messages = SPOKEN.chat(resumed.ask).messages
    assert [message.role for message in messages] == ["user", "assistant", "user"]
    assert messages[1].parts == (thought, call)
    await kept(responses, resumed.ask, reply(Text(text="20 degrees")))
    third = await responses.resume(ALICE, asked(input="and Rome?", previous_response_id=second.id))
    kinds = [item.get("type", "message") for item in input_of(third)]
    assert kinds == ["message", "reasoning", "function_call", "function_call_output", "message", "message"]


async def test_two_can_go_on_from_the_same_response(responses: Responses) -> None:
    first = asked()
    await kept(responses, first)
    for words in ("a", "b"):
        resumed = await responses.resume(ALICE, asked(input=words, previous_response_id=first.id))
        assert [item["content"] for item in input_of(resumed)][::2] == ["hi", words]


async def test_what_a_provider_keeps_goes_back_to_that_provider(responses: Responses) -> None:
    await kept(responses, asked(), reply(id="resp_1"), native=True, passed=True)
    ask = asked(previous_response_id="resp_1")
    assert await responses.resume(ALICE, ask) == Resumed(ask, Pin(target="main/real"))


async def test_a_name_of_ours_for_what_a_provider_keeps_becomes_its_own(responses: Responses) -> None:
    first = asked()
    await kept(responses, first, reply(id="resp_1"), native=True)
    resumed = await responses.resume(ALICE, asked(previous_response_id=first.id))
    assert resumed.pin == Pin(target="main/real")
    assert msgspec.json.decode(resumed.ask.body)["previous_response_id"] == "resp_1"
    with pytest.raises(NotFound):
        await responses.resume(ALICE, asked(previous_response_id="resp_1"))


async def test_what_shall_not_be_stored_is_not(responses: Responses) -> None:
    for native in (False, True):
        ask = asked(store=False)
        await kept(responses, ask, reply(id="resp_1"), native=native, passed=native)
        for name in (ask.id, "resp_1"):
            with pytest.raises(NotFound):
                await responses.resume(ALICE, asked(previous_response_id=name))


@pytest.mark.parametrize(
    "stranger",
    [someone("user:bob"), someone("user:alice", tenant="other"), someone("user:alice", "agent:planner")],
    ids=["another user", "another tenant", "an agent of hers"],
)
@pytest.mark.parametrize("native", [False, True])
async def test_a_foreign_response_looks_like_one_that_is_not_there(
    responses: Responses, stranger: Caller, native: bool
) -> None:
    first = asked()
    await kept(responses, first, native=native)
    errors = []
    for name in (first.id, "resp_nobody"):
        with pytest.raises(NotFound) as caught:
            await responses.resume(stranger, asked(previous_response_id=name))
        errors.append((caught.value.detail.replace(name, "…"), caught.value.data))
    assert errors[0] == errors[1]


async def test_who_sent_an_agent_may_see_what_it_got(responses: Responses) -> None:
    first = asked()
    await kept(responses, first, caller=someone("user:alice", "agent:planner"))
    assert (await responses.resume(ALICE, asked(previous_response_id=first.id))).pin is None


async def test_what_is_too_large_to_keep_is_asked_for_again(redis: Redis) -> None:
    responses, first = Responses(redis, SPOKEN, own_files(redis), max_bytes=2_000), asked(input="word " * 500)
    await kept(responses, first)
    with pytest.raises(BadRequest, match="larger than"):
        await responses.resume(ALICE, asked(previous_response_id=first.id))


async def test_what_is_kept_does_not_stay_for_ever(responses: Responses, redis: Redis) -> None:
    await kept(responses, asked())
    (name,) = [key async for key in _keys(redis)]
    assert 0 < await redis.execute("TTL", name) <= 30 * 86_400


async def test_without_redis_an_answer_is_given_and_noted_as_not_kept(redis: Redis) -> None:
    responses = Responses(redis, SPOKEN, own_files(redis))
    await redis.close()
    assert (await kept(responses, asked())).findings == (NOT_KEPT,)
    with pytest.raises(Unavailable):
        await responses.resume(ALICE, asked(previous_response_id="resp_1"))


@pytest.mark.parametrize("members", [{"previous_response_id": 5}, {"previous_response_id": ["x"]}])
async def test_a_name_of_the_wrong_type_is_refused(responses: Responses, members: Json) -> None:
    with pytest.raises(BadRequest):
        await responses.resume(ALICE, asked(**members))


def test_only_the_target_that_has_it_goes_on() -> None:
    targets = (samples.target("main"), samples.target("second"))
    assert Pin(target="second/second-model").among(targets) == targets[1:]
    with pytest.raises(NotFound, match="does not answer for this model"):
        Pin(target="third/x").among(targets)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (b"[]", b"[]", b"[]"),
        (b"[1]", b"[ ]", b"[1]"),
        (b" [1,2] ", b"[3]", b"[1,2,3]"),
        (b"[]", b"[3]", b"[3]"),
    ],
)
def test_two_lists_are_joined_as_text(one: bytes, other: bytes, both: bytes) -> None:
    assert joined(one, other) == both


async def test_a_tool_loop_of_the_official_client(responses: Responses) -> None:
    answers = [
        reply(
            Thinking(text="Hm", signature="s", origin="gemini"),
            ToolCall(id="c1", name="weather", arguments='{"city":"Paris"}'),
            ToolCall(id="c2", name="weather", arguments='{"city":"Rome"}'),
            stop=Stop.TOOLS,
        ),
        reply(Text(text="20 and 25")),
        reply(Text(text="Paris")),
    ]
    heard: list[Any] = []

    async def gateway(sent: Json, raw: bytes) -> tuple[int, bytes]:
        try:
            resumed = await responses.resume(ALICE, SPOKEN.read(raw, {}))
        except GatestackError as error:
            status, _, body = SPOKEN.dialect.refusal(error, "r")
            return status, body
        heard.append(SPOKEN.chat(resumed.ask))
        answer = answers[len(heard) - 1]
        await kept(responses, resumed.ask, answer)
        return 200, SPOKEN.reply(answer, resumed.ask)

    async with client(gateway) as found:
        first = await found.responses.create(model="fast", input="Weather?", tools=WEATHER)
        results: Any = [
            {"type": "function_call_output", "call_id": item.call_id, "output": "20"}
            for item in first.output
            if item.type == "function_call"
        ]
        second = await found.responses.create(
            model="fast", input=results, tools=WEATHER, previous_response_id=first.id
        )
        assert second.output_text == "20 and 25"
        assert second.previous_response_id == first.id
        third = await found.responses.create(
            model="fast", input="Which is colder?", previous_response_id=second.id
        )
        assert third.output_text == "Paris"
        with pytest.raises(openai.NotFoundError) as caught:
            await found.responses.create(model="fast", input="x", previous_response_id="resp_gone")
        assert caught.value.code == "previous_response_not_found"
    assert heard[2].messages[1].parts == answers[0].parts
    assert len(heard[2].messages) == 5


async def _keys(redis: Redis) -> Any:
    for key in await redis.execute("KEYS", "*"):
        yield key
