"""A call of an agent that needs a person's consent waits for it, as a stream or whole."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_gateway import approve
from shared import sse
from tests.agent_gateway.gateway import gateway, message, request
from tests.support.agents import Parts, Patient, agent
from tests.support.approving import BY, asked, asks, decide, waiting
from tests.support.serve import someone


async def test_a_message_waits_until_it_is_approved(tmp_path: Path) -> None:
    async with agent(Parts()) as writer, gateway(tmp_path, writer=writer) as gate:
        await asks(gate.edge, gate.parts, "agent:writer")
        call = asyncio.create_task(gate.call("writer", "SendMessage", message()))
        assert (await waiting(gate.parts)).approval.resource == "agent:writer"
        id = await decide(gate.parts)
        assert "result" in (await call).json
        row = await gate.service.row()
        assert f"approval:{id} approved by {BY}" in row.findings


async def test_the_same_message_sent_again_has_another_id_and_the_same_approval(tmp_path: Path) -> None:
    def sent(id: str) -> dict[str, Any]:
        return {"message": {**message()["message"], "messageId": id}}

    async with agent(Parts()) as writer, gateway(tmp_path, writer=writer) as gate:
        await asks(gate.edge, gate.parts, "agent:writer")
        first = asyncio.create_task(gate.call("writer", "SendMessage", sent("m1")))
        await waiting(gate.parts)
        again = asyncio.create_task(gate.call("writer", "SendMessage", sent("m2")))
        await decide(gate.parts, "denied", "no")
        assert "no" in (await first).message
        assert "no" in (await again).message


async def test_nobody_is_asked_about_ids_that_are_not_the_callers(tmp_path: Path) -> None:
    bob = someone("user:bob")
    async with agent(Patient()) as writer, gateway(tmp_path, writer=writer) as gate:
        sent = message() | {"configuration": {"returnImmediately": True}}
        task = (await gate.call("writer", "SendMessage", sent)).json["result"]["task"]
        await asks(gate.edge, gate.parts, "agent:writer")
        before = len(writer.heard)
        for id, context in ((task["id"], task["contextId"]), ("never-was", "never-was")):
            for method, params in (
                ("GetTask", {"id": id}),
                ("CancelTask", {"id": id}),
                ("SubscribeToTask", {"id": id}),
                ("CreateTaskPushNotificationConfig", {"taskId": id, "url": "https://203.0.113.9/"}),
                ("SendMessage", message(taskId=id)),
                ("SendMessage", message(contextId=context)),
                ("SendMessage", message(referenceTaskIds=[id])),
            ):
                assert (await gate.call("writer", method, params, bob)).code == -32001
        assert await asked(gate.parts) == []
        assert len(writer.heard) == before


async def test_an_original_card_may_take_a_persons_consent(tmp_path: Path) -> None:
    async with agent(Parts()) as writer, gateway(tmp_path, writer=writer) as gate:
        await asks(gate.edge, gate.parts, "admin:agents/writer")
        assert (await gate.get("/agents/writer/.well-known/agent-card.json")).status == 200
        call = asyncio.create_task(gate.get("/agents/writer/card/original"))
        assert (await waiting(gate.parts)).approval.resource == "admin:agents/writer"
        await decide(gate.parts, "denied", "not you")
        refused = await call
        assert (refused.status, writer.url in refused.body.decode()) == (403, False)


async def test_a_stream_is_kept_alive_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approve, "_PULSE_SECONDS", 0.01)
    async with agent(Parts()) as writer, gateway(tmp_path, writer=writer) as gate:
        await asks(gate.edge, gate.parts, "agent:writer")
        async with gate.stream("writer") as events:
            assert (await events.take(1)) == [b": waits for a person's approval\n\n"]
            await decide(gate.parts)
            told = [sse.data_of(event) for event in await events.take(1000)]
        said = [msgspec.json.decode(data) for data in told if data]
        assert all("result" in one for one in said)
        assert "TASK_STATE_COMPLETED" in str(said[-1])
        assert (await gate.service.row()).outcome == "completed"


async def test_a_stream_that_is_refused_after_it_began_ends_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approve, "_PULSE_SECONDS", 0.01)
    async with agent(Parts()) as writer, gateway(tmp_path, writer=writer) as gate:
        await asks(gate.edge, gate.parts, "agent:writer")
        body = request("SendStreamingMessage", message())
        async with gate.stream("writer", body) as events:
            await events.take(1)
            await decide(gate.parts, "denied", "not this one")
            [*_, last] = await events.take(1000)
        assert "not this one" in msgspec.json.decode(sse.data_of(last))["error"]["message"]
        row = await gate.service.row()
        assert (row.outcome, row.reason) == ("refused", "approval")
        assert writer.heard == []
