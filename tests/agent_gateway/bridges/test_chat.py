"""A chat endpoint is an agent like any other: card, messages, streams, tasks, conversations."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared import sse
from shared.agents import trusted_keys
from shared.card_trust import trusted
from tests.agent_gateway.bridges.bridged import operation, poet, said, text_of
from tests.agent_gateway.gateway import Events, gateway, message, request
from tests.agent_gateway.gateway import said as heard_by_sdk
from tests.support.providers import ScriptedProvider, completion, error, events, held, sending, stream
from tests.support.serve import someone
from tests.support.wait import SECONDS, eventually


async def test_the_official_client_talks_to_it_whole_and_streamed(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, poet(tmp_path, provider) as gate:
        provider.will(stream("Roses ", "are red"))
        async with gate.client("poet") as client:
            assert "Roses are red" in (await heard_by_sdk(client))[-1]
        async with gate.client("poet", streaming=True) as client:
            pieces = await heard_by_sdk(client)
        assert [piece for piece in pieces if piece] == ["Roses ", "are red"]
        await gate.row(agent="poet", action="invoke", outcome="completed")


async def test_what_it_is_sent_is_its_own_credential_and_a_chat(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, poet(tmp_path, provider, system="In verse.") as gate:
        provider.will(completion("ok"))
        assert text_of(await said(gate, "hi")) == "ok"
        [call] = provider.calls
        assert call.headers["authorization"] == "Bearer own-secret"
        assert not {"a2a-version", "traceparent", "txn-token"} & set(call.headers)
        assert call.json == {
            "model": "verse",
            "messages": [{"role": "system", "content": "In verse."}, {"role": "user", "content": "hi"}],
            "stream": True,
        }


async def test_an_endpoint_outside_gets_no_token_to_call_back_with(tmp_path: Path) -> None:
    """Whoever acts for the caller is an agent: a chat endpoint only answers."""
    async with ScriptedProvider() as provider:
        bridge = {"kind": "chat", "model": "verse", "url": provider.base_url}
        async with gateway(tmp_path, section={"agents": {"poet": {"bridge": bridge}}}) as gate:
            provider.will(completion("ok"))
            assert text_of(await said(gate, "hi")) == "ok"
        assert "authorization" not in provider.calls[0].headers


async def test_its_card_is_made_and_signed_here(tmp_path: Path) -> None:
    skills = [{"id": "sonnet", "name": "Sonnets"}]
    async with ScriptedProvider() as provider, poet(tmp_path, provider, skills=skills) as gate:
        card = (await gate.get("/agents/poet/.well-known/agent-card.json")).json
        keys = msgspec.json.decode(gate.parts.signer.jwks())["keys"]
        assert trusted(card, trusted_keys(tuple(keys))).signed
        assert [skill["id"] for skill in card["skills"]] == ["sonnet"]
        assert card["capabilities"]["streaming"]
        [listed] = (await gate.get("/agents")).json["agents"]
        assert listed["name"] == "poet"


async def test_a_conversation_is_remembered_and_bounded(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, poet(tmp_path, provider, memory_messages=2) as gate:
        provider.will(completion("one"), completion("two"), completion("three"))
        context = (await said(gate, "first"))["contextId"]
        await said(gate, "second", contextId=context)
        await said(gate, "third", contextId=context)
        told = [[(m["role"], m["content"]) for m in call.json["messages"]] for call in provider.calls]
        assert told[1] == [("user", "first"), ("assistant", "one"), ("user", "second")]
        assert told[2] == [("user", "second"), ("assistant", "two"), ("user", "third")]


async def test_what_is_too_long_to_be_told_again_is_not_kept(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, poet(tmp_path, provider, memory_bytes=1_000) as gate:
        provider.will(completion("one"), completion("two"), completion("three"))
        context = (await said(gate, "first"))["contextId"]
        await said(gate, "x" * 100_000, contextId=context)
        [turns] = await gate.parts.redis.execute("KEYS", "*:bridge:turns:*")
        assert await gate.parts.redis.execute("LRANGE", turns, 0, -1) == [b'["assistant","two"]']
        await said(gate, "third", contextId=context)
        assert [m["content"] for m in provider.calls[2].json["messages"]] == ["two", "third"]


async def test_a_foreign_conversation_is_none(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, poet(tmp_path, provider) as gate:
        provider.will(completion("secret"))
        task = await said(gate, "mine")
        bob = someone("user:bob")
        stolen = await gate.call("poet", "SendMessage", message(contextId=task["contextId"]), bob)
        assert stolen.code == -32001
        assert (await operation(gate, "GetTask", task["id"], bob)).code == -32001
        assert len(provider.calls) == 1
        assert (await operation(gate, "GetTask", task["id"])).json["result"]["artifacts"] == task["artifacts"]


async def test_memory_itself_asks_whose_it_is(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, poet(tmp_path, provider) as gate:
        provider.will(completion("secret"))
        context = (await said(gate, "mine"))["contextId"]
        [key] = [key async for key in _keys(gate, f"*bridge:owner:{context}")]
        assert b"user:alice" in await gate.parts.redis.execute("GET", key)
        assert await gate.parts.redis.execute("TTL", key) > 0


async def _keys(gate: Any, pattern: str) -> Any:
    for key in await gate.parts.redis.execute("KEYS", pattern):
        yield key


async def test_cancel_cuts_the_call(tmp_path: Path) -> None:
    gate_open = asyncio.Event()
    async with ScriptedProvider() as provider, poet(tmp_path, provider) as gate:
        first, *rest = events(["one ", "two"], counted=False)
        provider.will(held([first], gate_open, rest))
        async with await gate.open("poet", request("SendStreamingMessage", message())) as reply:
            arriving = Events(reply)
            [begun] = await arriving.take(1)
            task = msgspec.json.decode(sse.data_of(begun))["result"]["task"]
            canceled = await operation(gate, "CancelTask", task["id"])
            assert canceled.json["result"]["status"]["state"] == "TASK_STATE_CANCELED"
            rest_of_it = await arriving.take(9)
            assert b"TASK_STATE_CANCELED" in rest_of_it[-1]
            await asyncio.wait_for(provider.calls[0].gone(), SECONDS)
        assert (await operation(gate, "CancelTask", task["id"])).code == -32002


async def test_who_leaves_leaves_the_task_canceled(tmp_path: Path) -> None:
    never = asyncio.Event()
    async with ScriptedProvider() as provider, poet(tmp_path, provider) as gate:
        first, *rest = events(["one ", "two"], counted=False)
        provider.will(held([first], never, rest))
        async with await gate.open("poet", request("SendStreamingMessage", message())) as reply:
            [begun] = await Events(reply).take(1)
            task = msgspec.json.decode(sse.data_of(begun))["result"]["task"]["id"]
        await asyncio.wait_for(provider.calls[0].gone(), SECONDS)

        async def canceled() -> bool:
            found = await operation(gate, "GetTask", task)
            return bool(found.json["result"]["status"]["state"] == "TASK_STATE_CANCELED")

        await eventually(canceled, "the task is canceled")


GARBAGE = {
    "no JSON": sending([b"data: oops\n\n"]),
    "no completion": sending([b'data: {"hello": 1}\n\n']),
    "an error in the stream": sending([b'data: {"error": {"message": "x"}}\n\n']),
    "cut in the middle": sending([b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n']),
    "nothing": sending([b"data: [DONE]\n\n"]),
    "endless": sending([b'data: {"choices": [{"delta": {"content": "' + b"a" * 400 + b'"}}]}\n\n'] * 20),
    "an endless event": sending([b"data: " + b"a" * 5000]),
}


@pytest.mark.parametrize("behaviour", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_fails_the_task_and_nothing_else(tmp_path: Path, behaviour: Any) -> None:
    async with (
        ScriptedProvider() as provider,
        poet(tmp_path, provider, max_answer_bytes=1024) as gate,
    ):
        provider.will(behaviour, completion("fine"))
        failed = await said(gate)
        assert failed["status"]["state"] == "TASK_STATE_FAILED"
        assert failed["status"]["message"]["parts"][0]["text"]
        assert text_of(await said(gate)) == "fine"


async def test_an_endpoint_that_never_ends_is_cut_in_time(tmp_path: Path) -> None:
    never = asyncio.Event()
    async with ScriptedProvider() as provider, poet(tmp_path, provider, seconds=1) as gate:
        provider.will(held(events(["one"], counted=False)[:1], never, []))
        failed = await said(gate)
        assert failed["status"]["state"] == "TASK_STATE_FAILED"
        assert "longer than" in failed["status"]["message"]["parts"][0]["text"]


async def test_a_refusal_before_anything_was_said_is_an_error(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, poet(tmp_path, provider) as gate:
        provider.will(error(401))
        answer = await gate.call("poet", "SendMessage", message())
        assert "401" in answer.message
        assert "own-secret" not in answer.message


async def test_what_it_has_not_is_refused_in_words(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider, poet(tmp_path, provider) as gate:
        hook = {"taskId": "t", "url": "https://hooks.example/x"}
        file: dict[str, Any] = {"parts": [{"raw": "aGk=", "mediaType": "application/zip"}]}
        assert (await gate.call("poet", "SendMessage", message(**file))).code == -32005
        assert (await gate.call("poet", "GetExtendedAgentCard", {})).code == -32007
        assert (await gate.call("poet", "CreateTaskPushNotificationConfig", hook)).code < 0
        assert provider.calls == []


async def test_nobody_uses_it_who_may_not(tmp_path: Path) -> None:
    bridge = {"kind": "chat", "model": "m", "url": "http://127.0.0.1:9/v1"}
    section = {"agents": {"poet": {"credential": "none", "bridge": bridge}}}
    async with gateway(tmp_path, rules=[], section=section) as gate:
        assert (await gate.call("poet", "SendMessage", message())).code == -32000
