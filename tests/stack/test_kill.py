"""A kill stops what is in flight, in the caller's own dialect, and what comes after, over every restart."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from shared import sse
from shared.config.load import SERVICES
from shared.http_client import Reply
from tests.mcp_gateway.gateway import stateless
from tests.stack.conftest import RULES, TENANT, World, open_world
from tests.support.answer import Answer
from tests.support.providers import chunk, completion, sending, silence
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

Json = dict[str, Any]
FOREVER = {"id": "forever", "sub": "*", "dom": TENANT, "obj": "tool:tools/forever", "act": "*"}
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
WAITING = sending([chunk({"role": "assistant", "content": "one"})], then=silence)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("kill")
    async with open_world(directory, policy={"rules": [*RULES, FOREVER]}) as opened:
        yield opened


class Stream:
    """The events of one open answer, as they come."""

    def __init__(self, reply: Reply) -> None:
        self.chain = reply.header("x-gatestack-chain") or ""
        self._chunks = reply.chunks()
        self._splitter = sse.SseSplitter()
        self._events: list[bytes] = []

    async def next(self) -> bytes:
        """The next event's data, b"" when the stream is over."""
        while not self._events:
            found = await anext(self._chunks, None)
            if found is None:
                return b""
            self._events += self._splitter.feed(found)
        return sse.data_of(self._events.pop(0))

    async def last(self) -> Json:
        """The data of the last event, once the stream is over."""
        last = b""
        while found := await self.next():
            last = found
        return msgspec.json.decode(last, type=Json)


@contextlib.asynccontextmanager
async def streaming(
    world: World, path: str, key: str, body: object, headers: Mapping[str, str]
) -> AsyncIterator[Stream]:
    """One request whose answer has begun: its first event is here and stays for `next`."""
    sent = {"content-type": "application/json", "authorization": f"Bearer {key}", **headers}
    async with await world.stack.http.send(
        "POST", world.url + path, headers=list(sent.items()), body=msgspec.json.encode(body)
    ) as reply:
        assert reply.status == 200, await reply.read(65_536)
        yield Stream(reply)


@contextlib.asynccontextmanager
async def talking(world: World, key: str) -> AsyncIterator[Stream]:
    """A model's answer that has begun and does not end."""
    world.provider.will(WAITING)
    async with streaming(world, "/v1/chat/completions", key, CHAT | {"stream": True}, {}) as stream:
        assert b"one" in await stream.next()
        world.provider.will(completion("hello"))
        yield stream


@contextlib.asynccontextmanager
async def working(world: World, key: str) -> AsyncIterator[Stream]:
    """An agent that streams about a task that does not end."""
    headers = {"a2a-version": "1.0", "accept": "text/event-stream"}
    async with streaming(
        world, "/agents/patient", key, asking("SendStreamingMessage", "w1"), headers
    ) as stream:
        while b"a start" not in await stream.next():
            pass
        yield stream


@contextlib.asynccontextmanager
async def calling(world: World, key: str) -> AsyncIterator[Stream]:
    """A tool call that has reported progress and does not end."""
    body, headers = tool("forever", {"_meta": {"progressToken": "p"}})
    headers |= {"accept": "application/json, text/event-stream"}
    async with streaming(world, "/mcp", key, body | {"id": "c1"}, headers) as stream:
        assert b"notifications/progress" in await stream.next()
        yield stream


def asking(method: str, request_id: str, text: str = "[]") -> Json:
    message = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}]}
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {"message": message}}


def tool(name: str, more: Json | None = None) -> tuple[Json, dict[str, str]]:
    arguments = {"text": "hi"} if name == "echo" else {}
    return stateless("tools/call", {"name": f"tools__{name}", "arguments": arguments, **(more or {})})


async def chat(world: World, key: str) -> Answer:
    return await world.stack.send("POST", "/v1/chat/completions", key=key, body=CHAT)


async def echo(world: World, key: str) -> Answer:
    body, headers = tool("echo")
    headers["accept"] = "application/json, text/event-stream"
    return await world.stack.send("POST", "/mcp", key=key, body=body, headers=headers)


async def ask(world: World, key: str, agent: str) -> Answer:
    body, headers = asking("SendMessage", "q1"), {"a2a-version": "1.0"}
    return await world.stack.send("POST", f"/agents/{agent}", key=key, body=body, headers=headers)


async def kill(world: World, **selector: str) -> str:
    """The id of a new kill."""
    made = await world.stack.admin("POST", "/kills", {"selector": selector, "reason": "a test"})
    assert made.status == 201, made.body
    return str(made.json["id"])


async def lift(world: World, kill_id: str) -> None:
    lifted = await world.stack.admin("DELETE", f"/kills/{kill_id}")
    assert lifted.status == 200, lifted.body


@contextlib.asynccontextmanager
async def killed(world: World, **selector: str) -> AsyncIterator[None]:
    order = await kill(world, **selector)
    try:
        yield
    finally:
        await lift(world, order)


async def works(world: World, *keys: str) -> None:
    """These callers are let in again, once every gateway has heard of it."""

    async def all_are_let_in() -> bool:
        path = "/agents/patient/.well-known/agent-card.json"
        card = await world.stack.send("GET", path, key=keys[0])
        answers = [card, *[await chat(world, key) for key in keys]]
        return all(answer.status == 200 for answer in answers)

    await eventually(all_are_let_in, "calls are let in again")


def refused_as_killed(answer: Answer) -> bool:
    """Whether a kill refused it, in any dialect. What the answer is instead must not be one of success."""
    assert b'"error"' in answer.body, answer.body
    return b"stopped by an operator" in answer.body


async def until_killed(world: World, key: str) -> None:
    """The order has reached the three gateways: each has refused this caller."""
    for call in (chat(world, key), echo(world, key), ask(world, key, "researcher")):
        assert refused_as_killed(await call)


async def test_killing_an_agent_ends_its_stream_cancels_its_task_and_stops_its_next_calls(
    world: World,
) -> None:
    key, patient = await world.key(), world.agents["patient"]
    async with working(world, key) as stream, killed(world, agent="patient"):
        last = await stream.last()
        assert last["id"] == "w1"
        assert "stopped by an operator: a test" in last["error"]["message"]
        await eventually(lambda: patient.calls("CancelTask"), "CancelTask at the agent")
        bearer = patient.calls("SendStreamingMessage")[-1].bearer
        await until_killed(world, bearer)
        assert refused_as_killed(await ask(world, key, "patient"))
        # What the agent has no part in goes on.
        assert (await chat(world, key)).status == 200
    # Lifted: even the token that it still holds works again.
    await works(world, key, bearer)
    async with working(world, key):
        pass
    rows = await world.stack.entries(stream.chain, 2)
    assert "killed" in {row["outcome"] for row in rows if row["service"] == "agent_gateway"}


async def test_killing_a_user_ends_a_models_stream_and_nobody_elses(world: World) -> None:
    alice, bob = await world.key(), await world.key("user:bob")
    async with talking(world, alice) as cut, talking(world, bob) as other:
        mine, its = world.provider.calls[-2:]
        async with killed(world, user="alice"):
            last = await cut.last()
            assert last["error"]["code"] == "killed"
            assert "stopped by an operator: a test" in last["error"]["message"]
            await eventually(mine.left.is_set, "the provider sees its caller leave")
            assert (await chat(world, alice)).status == 403
            assert (await chat(world, bob)).status == 200
            assert not its.left.is_set()
        await works(world, alice)
        assert other.chain != cut.chain


async def test_killing_a_tool_ends_a_call_of_it_that_is_in_flight(world: World) -> None:
    key = await world.key()
    world.seen.cancelled.clear()
    async with calling(world, key) as stream, killed(world, tool="tools/forever"):
        last = await stream.last()
        assert (last["id"], last["error"]["code"]) == ("c1", -32012)
        await eventually(world.seen.cancelled.is_set, "the server stops its tool")
        assert (await echo(world, key)).status == 200


async def test_killing_a_chain_leaves_every_other_chain_alone(world: World) -> None:
    key = await world.key()
    async with working(world, key) as cut:
        bearer = world.agents["patient"].calls("SendStreamingMessage")[-1].bearer
        async with working(world, key) as other, killed(world, chain=cut.chain):
            assert "stopped" in (await cut.last())["error"]["message"]
            await until_killed(world, bearer)
            survivor = world.agents["patient"].calls("SendStreamingMessage")[-1].bearer
            assert other.chain != cut.chain
            assert (await chat(world, survivor)).status == 200


async def test_a_killed_keys_chains_die_with_it(world: World) -> None:
    made = await world.stack.admin("POST", "/keys", {"sub": "user:alice", "tenant": TENANT})
    key, spared = str(made.json["secret"]), await world.key()
    async with working(world, key) as cut, killed(world, key=made.json["id"]):
        assert "stopped" in (await cut.last())["error"]["message"]
        await until_killed(world, world.agents["patient"].calls("SendStreamingMessage")[-1].bearer)
        await until_killed(world, key)
        assert (await chat(world, spared)).status == 200


async def test_a_revoked_keys_chains_die_with_it(world: World) -> None:
    made = await world.stack.admin("POST", "/keys", {"sub": "user:alice", "tenant": TENANT})
    key = str(made.json["secret"])
    async with working(world, key):
        bearer = world.agents["patient"].calls("SendStreamingMessage")[-1].bearer
        assert (await chat(world, bearer)).status == 200
        assert (await world.stack.admin("DELETE", f"/keys/{made.json['id']}")).status == 200
        assert [(await chat(world, credential)).status for credential in (bearer, key)] == [401, 401]


async def test_killing_everything_cuts_every_dialect_and_can_still_be_lifted(world: World) -> None:
    key = await world.key()
    async with talking(world, key) as model, working(world, key) as agent, calling(world, key) as call:
        async with killed(world, all="*"):
            assert (await model.last())["error"]["code"] == "killed"
            assert (await agent.last())["id"] == "w1"
            assert (await call.last())["id"] == "c1"
            await until_killed(world, key)
            listed = await world.stack.send("GET", "/v1/models", key=key)
            assert listed.status == 403
        await works(world, key)


async def test_a_kill_survives_the_death_of_every_service_and_of_valkey(world: World) -> None:
    key = await world.key("user:bob")
    async with killed(world, user="bob"):
        await until_killed(world, key)
        await world.stack.kill_valkey()
        await until_killed(world, key)
        await world.stack.kill(*SERVICES)
        await until_killed(world, key)
        assert (await chat(world, await world.key())).status == 200
    await works(world, key)
