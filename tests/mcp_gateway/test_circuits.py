"""Servers that fail are left alone for a while, each by itself, and tried again with one call."""

from typing import Any

import pytest

from mcp_gateway.circuits import Circuits
from mcp_gateway.config import Http, ServerRule
from shared.attempts import BreakerRule
from shared.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http
from tests.support.clock import FakeClock, MovedClock
from tests.support.mcp_shifting import Shifting, tool
from tests.support.serve import serving
from tests.support.wait import eventually

RULE = ServerRule(transport=Http(url="http://x"), breaker=BreakerRule(consecutive=2, cooldown_seconds=10))


class Failing:
    """A server that can be made to answer with HTTP 503, to everything or to its next lists only."""

    def __init__(self) -> None:
        self.server = Shifting(tool("read"))
        self.down = False
        self.next_list_fails = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        listing = headers.get(b"mcp-method") == b"tools/list"
        if not self.down and not (listing and self.next_list_fails):
            await self.server(scope, receive, send)
            return
        self.next_list_fails -= listing
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def refused(status: int) -> UpstreamRefused:
    return UpstreamRefused("no", upstream_status=status, retryable=False)


def fail(circuits: Circuits, error: BaseException) -> None:
    with pytest.raises(type(error)), circuits.guarded("s"):
        raise error


def alone(circuits: Circuits) -> bool:
    try:
        with circuits.guarded("s"):
            return False
    except UpstreamUnreachable:
        return True


@pytest.mark.parametrize("error", [UpstreamUnreachable("gone"), UpstreamTimeout("silent"), refused(503)])
def test_a_server_that_fails_in_a_row_is_left_alone_and_then_tried_with_one_call(
    error: BaseException,
) -> None:
    clock = FakeClock()
    circuits = Circuits({"s": RULE, "other": RULE}, clock)
    fail(circuits, error)
    fail(circuits, error)
    assert circuits.shut() == 1
    assert alone(circuits)
    with circuits.guarded("other"):
        pass
    clock.advance(11)
    with circuits.guarded("s"):
        assert alone(circuits), "one call tries it, the others wait for what becomes of that"
    assert not alone(circuits)
    assert circuits.shut() == 0


@pytest.mark.parametrize(
    "error",
    [
        refused(401),
        refused(429),
        UpstreamBroken("more than 10 bytes"),
        UpstreamUnreachable("it is started again", retry_after=1.0),
        KeyError(),
    ],
)
def test_what_one_caller_can_provoke_shuts_it_for_nobody(error: BaseException) -> None:
    circuits = Circuits({"s": RULE}, FakeClock())
    for _ in range(5):
        fail(circuits, error)
    assert not alone(circuits)


async def test_calls_of_a_server_that_is_down_end_at_once_and_the_metrics_say_so(opened: Open) -> None:
    failing, clock = Failing(), MovedClock()
    async with serving(failing) as url, serving(Shifting(tool("read"))) as well:
        servers = {"s": http(url) | {"breaker": {"consecutive": 2, "cooldown_seconds": 5}}, "w": http(well)}
        async with opened(servers, clock=clock) as gateway:
            assert (await gateway.call("s__read")).text == "fine"
            failing.down = True
            for _ in range(2):
                assert "503" in (await gateway.call("s__read")).error["message"]
            heard = await gateway.call("s__read")
            assert "left alone" in heard.error["message"]
            assert int(heard.headers["retry-after"]) >= 0
            page = (await gateway.send(path="/metrics", method="GET")).body.decode()
            assert 'gatestack_servers_shut{service="mcp_gateway"} 1' in page
            assert (await gateway.call("w__read")).text == "fine"
            failing.down = False
            clock.advance(5)

            async def well_again() -> bool:
                return "result" in (await gateway.call("s__read")).json

            await eventually(well_again)


async def test_a_list_that_fails_once_is_asked_for_again_and_a_call_is_not(opened: Open) -> None:
    failing = Failing()
    failing.next_list_fails = 1
    async with serving(failing) as url, opened({"s": http(url)}) as gateway:
        assert await gateway.tools() == ["s__read"]
        failing.down = True
        assert "503" in (await gateway.call("s__read")).error["message"]
        assert failing.server.calls == []
