"""Streams on which clients hear what they did not ask for, in both eras, before servers of both."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.server.subscriptions import ResourceUpdated
from mcp_types import CallToolResult

from mcp_gateway.meta import Members
from mcp_gateway.standing.stream import Ear
from shared.valkey import EmbeddedValkey
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Talk, http, rule, stateless
from tests.mcp_gateway.questions.test_replicas import messages
from tests.mcp_gateway.replicas import replica_of
from tests.support.mcp_everything import Era, Everything
from tests.support.mcp_everything_questions import Ctx, is_stateless
from tests.support.mcp_everything_tools import says
from tests.support.mcp_servers import legacy_only, stateless_only
from tests.support.serve import serving, someone
from tests.support.wait import SECONDS

ERAS: tuple[Era, ...] = ("session", "stateless")
WATCHED = "test://watched-resource"
ALL = {"toolsListChanged": True, "promptsListChanged": True, "resourceSubscriptions": [WATCHED]}
ID = "io.modelcontextprotocol/subscriptionId"


class Touching(Everything):
    """Its prompts stay; what would change them changes a resource instead."""

    async def _change(self, ctx: Ctx, what: str) -> CallToolResult:
        if what == "tools":
            return await super()._change(ctx, what)
        if is_stateless(ctx):
            await self._bus.publish(ResourceUpdated(uri=WATCHED))
        else:
            await ctx.session.send_resource_updated(WATCHED)
        return says("It has changed.")


@contextlib.asynccontextmanager
async def touching(era: Era) -> AsyncIterator[str]:
    app = Touching().streamable_http_app()
    async with serving(legacy_only(app) if era == "session" else stateless_only(app)) as url:
        yield url


@contextlib.asynccontextmanager
async def standing(gateway: Gateway, talk: Talk) -> AsyncIterator[Any]:
    """The messages of a session's stream, which stands."""
    headers = talk.headers | {"accept": "text/event-stream"}
    async with (
        await gateway.open(b"", method="GET", path=talk.path, headers=headers, caller=talk.caller) as reply,
        contextlib.aclosing(messages(reply)) as said,
    ):
        assert reply.status == 200
        yield said


@contextlib.asynccontextmanager
async def listening(gateway: Gateway, wanted: Any, path: str, **more: Any) -> AsyncIterator[Any]:
    body, headers = stateless("subscriptions/listen", {"notifications": wanted})
    async with (
        await gateway.open(body | {"id": "mine"}, headers=headers, path=path, **more) as reply,
        contextlib.aclosing(messages(reply)) as said,
    ):
        yield said


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("prefix", ["", "e"])
async def test_a_session_hears_of_lists_and_of_what_it_subscribed_to(
    opened: Open, era: Era, prefix: str
) -> None:
    named, uri = (f"{prefix}__", f"{prefix}+{WATCHED}") if prefix else ("", WATCHED)
    async with touching(era) as url, opened({"e": http(url)}) as gateway:
        talk = await gateway.begin(path="/mcp" if prefix else "/servers/e/mcp")
        told = talk.hello.json["result"]["capabilities"]
        assert told["resources"] == {"listChanged": True, "subscribe": True}
        async with standing(gateway, talk) as said:
            assert (await talk.ask("resources/subscribe", {"uri": uri})).json["result"] == {}
            await _until(
                talk, f"{named}test_trigger_prompt_change", said, "notifications/resources/updated", uri
            )
            await _until(talk, f"{named}test_trigger_tool_change", said, "notifications/tools/list_changed")


async def _until(talk: Talk, tool: str, said: Any, method: str, uri: str = "") -> None:
    """Servers are listened to a moment after somebody wants to hear of them: until then they say it again."""
    coming = asyncio.create_task(anext(said))
    for _ in range(50):
        await talk.call(tool)
        done, _ = await asyncio.wait([coming], timeout=0.2)
        if done:
            break
    message = await asyncio.wait_for(coming, SECONDS)
    while message["method"] != method:
        message = await asyncio.wait_for(anext(said), SECONDS)
    assert message.get("params", {}).get("uri", "") == uri


@pytest.mark.parametrize("era", ERAS)
async def test_a_stateless_client_hears_what_it_wanted_marked_as_its_own(opened: Open, era: Era) -> None:
    path = "/servers/e/mcp"
    async with (
        touching(era) as url,
        opened({"e": http(url)}) as gateway,
        listening(gateway, ALL, path) as said,
    ):
        first = await anext(said)
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"] == {"notifications": ALL, "_meta": {ID: "mine"}}
        coming = asyncio.create_task(anext(said))
        for _ in range(50):
            await gateway.call("test_trigger_prompt_change", path=path)
            done, _ = await asyncio.wait([coming], timeout=0.2)
            if done:
                break
        heard = await asyncio.wait_for(coming, SECONDS)
        assert heard["method"] == "notifications/resources/updated"
        assert heard["params"] == {"uri": WATCHED, "_meta": {ID: "mine"}}


async def test_what_changes_in_the_moment_of_the_acknowledgement_is_heard(
    plain: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = Ear.say

    async def said_late(ear: Ear, method: str, params: Members) -> None:
        if method.endswith("acknowledged"):
            plain.service.app.state.changes.decided("one")
        await say(ear, method, params)

    monkeypatch.setattr(Ear, "say", said_late)
    async with listening(plain, {"toolsListChanged": True}, "/servers/one/mcp") as heard:
        async with asyncio.timeout(SECONDS):
            methods = [(await anext(heard))["method"], (await anext(heard))["method"]]
    assert methods == ["notifications/subscriptions/acknowledged", "notifications/tools/list_changed"]


async def test_what_a_caller_may_not_read_it_does_not_hear_of(opened: Open) -> None:
    rules = [rule(obj="tool:*"), rule(obj="resource:e/test://static-text", act="read")]
    async with touching("stateless") as url, opened({"e": http(url)}, rules=rules) as gateway:
        wanted = {"toolsListChanged": True, "resourceSubscriptions": [WATCHED, "test://static-text"]}
        async with listening(gateway, wanted, "/servers/e/mcp") as said:
            honoured = (await anext(said))["params"]["notifications"]
            assert honoured == wanted | {"resourceSubscriptions": ["test://static-text"]}
        talk = await gateway.begin(path="/servers/e/mcp")
        refused = await talk.ask("resources/subscribe", {"uri": WATCHED})
        assert refused.error["code"] == -32602


async def test_a_stream_hears_of_subscriptions_at_other_replicas(
    opened: Open, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    async with touching("stateless") as url:
        servers = {"e": http(url)}
        async with (
            opened(servers) as first,
            replica_of(first, tmp_path / "second", valkey.url, servers) as second,
        ):
            talk = await first.begin(path="/servers/e/mcp")
            elsewhere = Talk(second, talk.caller, talk.path, talk.hello)
            async with standing(first, talk) as said:
                await elsewhere.ask("resources/subscribe", {"uri": WATCHED})
                await _until(
                    elsewhere, "test_trigger_prompt_change", said, "notifications/resources/updated", WATCHED
                )
                ended = await second.send(
                    method="DELETE", path=talk.path, headers=talk.headers, caller=talk.caller
                )
                assert ended.status == 200
                async with asyncio.timeout(SECONDS):
                    assert [message async for message in said if "id" in message] == []


async def test_a_stream_belongs_to_its_session_and_there_is_one(plain: Gateway) -> None:
    talk = await plain.begin()
    stolen = await plain.send(method="GET", headers=talk.headers, caller=someone("user:bob"))
    assert stolen.status == 404
    async with standing(plain, talk) as first, standing(plain, talk):
        async with asyncio.timeout(SECONDS):
            assert [message async for message in first] == []


async def test_the_kill_switch_cuts_what_stands(plain: Gateway) -> None:
    talk = await plain.begin(path="/servers/one/mcp")
    async with (
        standing(plain, talk) as session,
        listening(plain, {"toolsListChanged": True}, "/servers/one/mcp") as listen,
    ):
        await anext(listen)
        await plain.edge.kill(plain.service.parts, server="one")
        for said in (session, listen):
            async with asyncio.timeout(SECONDS):
                assert (await anext(said))["error"]["code"] == -32012
    rows = [row for row in await plain.service.rows(3) if row.action in ("stream", "subscriptions/listen")]
    assert {(row.outcome, row.server) for row in rows} == {("killed", "one")}
    assert len(rows) == 2


async def test_a_stream_that_wants_nothing_sensible_is_refused(plain: Gateway) -> None:
    for wanted in (None, 7, {"resourceSubscriptions": 7}, {"resourceSubscriptions": ["x"] * 300}):
        heard = await plain.ask("subscriptions/listen", {"notifications": wanted})
        assert (heard.status, heard.error["code"]) == (400, -32602)
