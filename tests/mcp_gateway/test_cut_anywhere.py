"""A call of a tool that ends at any moment leaves nothing behind, and is on record once."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Heard, Talk, http
from tests.mcp_gateway.questions.test_replicas import ASKS, GIVEN, PATH, STATED
from tests.support.approving import Spending, approving, asks
from tests.support.cutting import LIMITS, Cutting, Held, Kind
from tests.support.mcp_everything import everything_app
from tests.support.mcp_servers import tool_server
from tests.support.serve import serving, someone

Server = tuple[Held, str]
PROGRESS = {"_meta": {"progressToken": "p"}}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """It answers no call any more that has been ended; and its address."""
    held = Held(tool_server().streamable_http_app(), only=b'"tools/call"')
    async with serving(held) as url:
        yield held, url


def one(url: str, era: str = "stateless") -> dict[str, Any]:
    """Where calls take turns: who does not give its turn back is in the way of the next."""
    return {"one": http(url, era=era) | {"concurrency": 1}}


def left(gateway: Gateway, held: Held) -> Iterator[str]:
    yield from held.left()
    if shut := gateway.service.parts.telemetry.gauges["gatestack_servers_shut"]():
        yield f"{shut} servers are left alone"


@pytest.mark.parametrize(
    ("tool", "arguments", "era", "talks", "stride"),
    [
        ("echo", {"text": "x"}, "stateless", False, 1),
        ("slow", {"steps": 2}, "stateless", False, 2),
        ("slow", {"steps": 2}, "session", True, 5),
    ],
    ids=["stateless", "with progress", "in sessions"],
)
async def test_a_call(
    opened: Open, server: Server, tool: str, arguments: Any, era: str, talks: bool, stride: int
) -> None:
    held, url = server
    async with opened(one(url, era), limits=LIMITS) as gateway:
        speaker: Gateway | Talk = await gateway.begin() if talks else gateway
        params = {"name": f"one__{tool}", "arguments": arguments, **PROGRESS}

        async def send() -> int:
            return (await speaker.ask("tools/call", params)).status

        held.cutting = Cutting(gateway.service)
        kind = Kind(send=send, left=lambda: left(gateway, held))
        await held.cutting.everywhere(kind, stride=stride)


async def test_a_session_that_begins(opened: Open, server: Server) -> None:
    held, url = server
    async with opened(one(url), limits=LIMITS) as gateway:

        async def send() -> int:
            return (await gateway.begin()).hello.status

        await Cutting(gateway.service).everywhere(Kind(send=send, left=lambda: left(gateway, held)))


async def test_a_call_that_waits_for_a_person(opened: Open, server: Server) -> None:
    held, url = server
    async with opened(one(url), limits=LIMITS) as gateway:
        parts, caller = gateway.service.parts, someone()
        await asks(gateway.edge, parts, "tool:one/echo")

        async def send() -> int:
            async with approving(parts):
                return (await gateway.call("one__echo", {"text": "x"}, caller=caller)).status

        held.cutting, spending = Cutting(gateway.service), Spending(parts, lambda: held.arrived)
        await spending.everywhere(held.cutting, send, lambda: left(gateway, held), stride=6)


async def test_a_call_that_waits_for_what_its_client_is_asked(opened: Open) -> None:
    held = Held(everything_app("session"), only=b'"tools/call"')
    section = {"concurrency": 1}
    async with serving(held) as url, opened({"e": http(url) | section}, limits=LIMITS) as gateway:
        caller, cutting = someone(), Cutting(gateway.service)

        async def before() -> None:
            held.cutting = cutting

        async def send() -> int:
            params = {"name": ASKS, "arguments": {}, "_meta": STATED}
            heard = await gateway.ask("tools/call", params, path=PATH, caller=caller)
            if heard.status == 200:
                # Whoever has heard what is asked goes on with the call, which its server answers.
                held.cutting = None
                assert "Bo" in (await gateway.ask("tools/call", params | _told(heard), path=PATH)).text
            return heard.status

        kind = Kind(
            before=before,
            send=send,
            left=lambda: left(gateway, held),
            own=lambda row: row.chain in (caller.chain, ""),
        )
        await cutting.everywhere(kind, stride=6)


def _told(heard: Heard) -> dict[str, Any]:
    """What the client comes again with."""
    result = heard.json["result"]
    answers = dict.fromkeys(result["inputRequests"], GIVEN)
    return {"inputResponses": answers, "requestState": result["requestState"]}
