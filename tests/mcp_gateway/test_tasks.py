"""Methods that nobody here knows: they pass where one server is meant and policy allows it, tasks only to
whom they belong.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp_types import EmptyResult, RequestParams

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http, rule
from tests.support.mcp_everything import Everything
from tests.support.mcp_everything_questions import Ctx
from tests.support.mcp_rogue import Rogue
from tests.support.serve import serving, someone

PATH = "/servers/e/mcp"


class Extended(Everything):
    """It knows a method that no revision has."""

    def __init__(self) -> None:
        super().__init__()
        self.add_request_handler("acme/greet", RequestParams, self._greet)

    async def _greet(self, ctx: Ctx, params: RequestParams) -> EmptyResult:
        return EmptyResult.model_validate({"greeting": "hello"})


@pytest.fixture
async def extended() -> AsyncIterator[str]:
    async with serving(Extended().streamable_http_app()) as url:
        yield url


@pytest.mark.parametrize("era", ["session", "stateless"])
async def test_an_unknown_method_reaches_the_one_server_that_is_meant(
    opened: Open, extended: str, era: str
) -> None:
    async with opened({"e": http(extended, era=era)}) as gateway:
        talk = await gateway.begin(path=PATH)
        for heard in (await talk.ask("acme/greet"), await gateway.ask("acme/greet", path=PATH)):
            assert "result" in heard.json, heard.body
        for method in ("sampling/createMessage", "notifications/x", "x" * 100):
            assert (await talk.ask(method)).error["code"] == -32601
        row = next(row for row in await gateway.service.rows(3) if row.resource == "tool:e/acme/greet")
        assert (row.action, row.outcome) == ("invoke", "completed")


async def test_on_an_endpoint_of_many_servers_it_is_for_none(opened: Open, extended: str) -> None:
    async with opened({"e": http(extended)}) as gateway:
        assert (await gateway.ask("acme/greet")).error["code"] == -32601
        talk = await gateway.begin()
        assert (await talk.ask("acme/greet")).error["code"] == -32601


async def test_what_policy_does_not_allow_does_not_pass(opened: Open, extended: str) -> None:
    rules = [rule(obj="tool:e/test_simple_text")]
    async with opened({"e": http(extended)}, rules=rules) as gateway:
        heard = await gateway.ask("acme/greet", path=PATH)
        assert heard.error["code"] == -32602


@pytest.mark.parametrize("task", ["t1", "t2", 7])
async def test_a_task_is_there_for_whoever_began_it(
    opened: Open, rogue: tuple[Rogue, str], task: Any
) -> None:
    async with opened({"r": http(rogue[1])}) as gateway:
        begun = await gateway.call("task", path="/servers/r/mcp")
        assert begun.json["result"]["taskId"] == "t1"
        own = await gateway.ask("tasks/get", {"taskId": task}, path="/servers/r/mcp")
        # The server, once asked, does not know the method.
        assert own.error["code"] == (-32601 if task == "t1" else -32602)
        for stranger in (someone("user:bob"), someone("user:alice", tenant="other")):
            heard = await gateway.ask("tasks/get", {"taskId": task}, path="/servers/r/mcp", caller=stranger)
            assert (heard.error["code"], heard.error["message"]) == (-32602, "there is no such task")
