"""What is remembered of servers, and when they are asked again."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from mcp_gateway.catalog import Catalog
from mcp_gateway.config import Http, ServerRule
from mcp_gateway.upstreams.upstream import Call, Welcome
from shared.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from shared.jsonrpc import Envelope
from tests.support.clock import FakeClock


class Scripted:
    """A server whose lists are set by the test, and that counts how often it is asked."""

    name = "s"

    def __init__(self) -> None:
        self.tools: list[Any] = ["a"]
        self.page = 100
        self.asked = 0
        self.failure: Exception | None = None
        self.slow: asyncio.Event | None = None

    async def welcome(self) -> Welcome:
        if self.failure is not None:
            raise self.failure
        return Welcome(
            stateless=True, version="2026-07-28", capabilities={"tools": Raw(b"{}"), "resources": Raw(b"{}")}
        )

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        if call.method != "tools/list":
            yield Envelope(error=Raw(b'{"code":-32601,"message":"unknown"}'))
            return
        start = int(msgspec.json.decode(call.params["cursor"])) if "cursor" in call.params else 0
        if not start:
            self.asked += 1
        if self.slow is not None:
            await self.slow.wait()
        page = [tool if isinstance(tool, dict) else {"name": tool} for tool in self.tools][
            start : start + self.page
        ]
        result: dict[str, Any] = {"tools": page}
        if start + self.page < len(self.tools):
            result["nextCursor"] = str(start + self.page)
        yield Envelope(result=Raw(msgspec.json.encode(result)))

    async def close(self) -> None: ...


@pytest.fixture
def server() -> Scripted:
    return Scripted()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def catalog(server: Scripted, clock: FakeClock) -> Catalog:
    rules = {"s": ServerRule(transport=Http(url="http://x"))}
    return Catalog({"s": server}, rules, clock, seconds=60, pause=5, patience=0.2)


async def _names(catalog: Catalog) -> list[str]:
    return list((await catalog.listing("s")).items["tool"])


async def test_a_listing_is_good_for_a_while(catalog: Catalog, server: Scripted, clock: FakeClock) -> None:
    assert await _names(catalog) == ["a"]
    server.tools = ["b"]
    clock.advance(59)
    assert await _names(catalog) == ["a"]
    clock.advance(2)
    assert await _names(catalog) == ["b"]
    assert server.asked == 2


async def test_many_readers_ask_once(catalog: Catalog, server: Scripted) -> None:
    await asyncio.gather(*(catalog.listing("s") for _ in range(50)))
    assert server.asked == 1


async def test_an_unknown_tool_is_looked_for_again_but_not_by_everybody(
    catalog: Catalog, server: Scripted, clock: FakeClock
) -> None:
    await catalog.listing("s")
    server.tools = ["a", "new"]
    assert await catalog.find("s", "tool", "new") is None
    clock.advance(6)
    assert await catalog.find("s", "tool", "new") is not None
    clock.advance(6)
    for name in range(100):
        assert await catalog.find("s", "tool", f"made-up-{name}") is None
    assert server.asked == 3


async def test_a_server_that_says_so_is_asked_again(
    catalog: Catalog, server: Scripted, clock: FakeClock
) -> None:
    await catalog.listing("s")
    server.tools = ["b"]
    clock.advance(6)
    catalog.changed("s")
    assert await _names(catalog) == ["b"]
    for _ in range(100):
        catalog.changed("s")
        await catalog.listing("s")
    assert server.asked == 2


async def test_a_server_that_fails_keeps_its_last_listing(
    catalog: Catalog, server: Scripted, clock: FakeClock
) -> None:
    await catalog.listing("s")
    server.failure = UpstreamUnreachable("gone")
    clock.advance(61)
    assert await _names(catalog) == ["a"]
    server.failure = None
    server.tools = ["b"]
    clock.advance(61)
    assert await _names(catalog) == ["b"]


async def test_a_server_that_was_never_there_is_not_asked_by_every_reader(
    catalog: Catalog, server: Scripted, clock: FakeClock
) -> None:
    server.failure = UpstreamUnreachable("gone")
    for _ in range(3):
        with pytest.raises(UpstreamUnreachable):
            await catalog.listing("s")
        assert await catalog.listings(("s",)) == {}
    server.failure = None
    with pytest.raises(UpstreamUnreachable):
        await catalog.listing("s")
    clock.advance(6)
    assert await _names(catalog) == ["a"]


async def test_a_server_that_lets_wait_is_left_alone(catalog: Catalog, server: Scripted) -> None:
    server.slow = asyncio.Event()
    with pytest.raises(UpstreamTimeout):
        await catalog.listing("s")
    server.slow = None
    with pytest.raises(UpstreamTimeout):
        await catalog.listing("s")


async def test_a_reader_that_leaves_takes_nothing_from_the_others(catalog: Catalog, server: Scripted) -> None:
    server.slow = asyncio.Event()
    first, second = (asyncio.create_task(catalog.listing("s")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    server.slow.set()
    assert list((await second).items["tool"]) == ["a"]


async def test_all_pages_are_read(catalog: Catalog, server: Scripted) -> None:
    server.tools, server.page = [f"t{n}" for n in range(250)], 100
    assert len(await _names(catalog)) == 250


async def test_pages_without_end_have_one(catalog: Catalog, server: Scripted) -> None:
    server.tools, server.page = [f"t{n}" for n in range(300)], 1
    assert len(await _names(catalog)) == 100


async def test_what_is_no_tool_is_left_out(catalog: Catalog, server: Scripted) -> None:
    server.tools = ["a", {"name": 7}, {"name": ""}, {"title": "nameless"}, {"name": "a", "title": "second"}]
    listing = await catalog.listing("s")
    [item] = listing.items["tool"].values()
    assert b"second" not in item.own


async def test_a_list_that_is_none_is_a_fault_of_the_server(catalog: Catalog, server: Scripted) -> None:
    server.tools = {}  # type: ignore[assignment]

    async def call(call: Call) -> AsyncGenerator[Envelope, None]:
        yield Envelope(result=Raw(b'{"tools":{"a":1}}'))

    server.call = call  # type: ignore[method-assign]
    with pytest.raises(UpstreamBroken):
        await catalog.listing("s")


async def test_the_exposed_name_leads_back_to_the_own(catalog: Catalog, server: Scripted) -> None:
    server.tools = ["plain", "with.dots", "x" * 100]
    listing = await catalog.listing("s")
    for item in listing.items["tool"].values():
        assert listing.own_name("tool", item.exposed) == item.name
        assert msgspec.json.decode(item.merged)["name"] == item.exposed
        assert item.resource == f"tool:s/{item.name}"
