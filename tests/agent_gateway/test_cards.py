"""Cards are fetched when needed, kept for a while, outlive their agent's absence, and are not believed
too far.
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent, Catalog
from agent_gateway.config import AgentEntry
from shared.asgi import Send
from shared.config import Secret
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamUnreachable
from shared.http_client import HttpClient
from tests.support.agents import Echo, Heard, agent, card_of, reply, scripted
from tests.support.clock import FakeClock


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


def _agent(**entry: Any) -> Agent:
    found = Catalog({"writer": AgentEntry(**entry)}).find("writer")
    assert found is not None
    return found


def _cards(http: HttpClient, clock: FakeClock | None = None, cap: int = 65_536) -> Cards:
    return Cards(http, clock or FakeClock(), cap=cap, seconds=60)


async def test_a_card_is_fetched_once_and_again_when_it_is_old(http: HttpClient) -> None:
    clock = FakeClock()
    cards = _cards(http, clock)
    async with agent(Echo(), "writer") as running:
        writer = _agent(url=running.url, headers={"X-Own": Secret("s")})
        first = await cards.of(writer)
        assert first.content["name"] == "writer"
        assert await cards.of(writer) is first
        assert len(running.heard) == 1
        assert running.heard[0].headers["x-own"] == "s"
        clock.advance(61)
        second = await cards.of(writer)
        assert len(running.heard) == 2
        assert second.since == first.since


async def test_the_last_good_card_stays_while_the_agent_is_away(http: HttpClient) -> None:
    clock = FakeClock()
    cards = _cards(http, clock)
    async with agent(Echo(), "writer") as running:
        writer = _agent(card_url=running.card_url)
        first = await cards.of(writer)
        endpoint = await cards.endpoint(writer)
    clock.advance(61)
    assert (await cards.of(writer)).content == first.content
    assert await cards.endpoint(writer) == endpoint
    with pytest.raises(UpstreamUnreachable):
        await _cards(http).of(writer)


async def test_without_a_configured_url_the_card_says_where_the_agent_is(http: HttpClient) -> None:
    async with agent(Echo()) as running:
        endpoint = await _cards(http).endpoint(_agent(card_url=running.card_url))
        assert (endpoint.url, endpoint.tenant) == (running.url, "")


async def test_a_configured_url_needs_no_card(http: HttpClient) -> None:
    writer = _agent(url="http://127.0.0.1:1/", tenant="ours")
    endpoint = await _cards(http).endpoint(writer)
    assert (endpoint.url, endpoint.tenant) == ("http://127.0.0.1:1/", "ours")


@pytest.mark.parametrize(
    "interfaces",
    [
        [{"url": "http://169.254.169.254/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        [{"url": "not an address", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        [{"url": "{here}", "protocolBinding": "GRPC", "protocolVersion": "1.0"}],
        [{"url": "{here}", "protocolBinding": "JSONRPC", "protocolVersion": "0.2"}],
        ["odd"],
        "odd",
        None,
    ],
)
async def test_a_card_cannot_send_calls_anywhere_else(http: HttpClient, interfaces: Any) -> None:
    async def script(heard: Heard, send: Send) -> None:
        here = f"http://{heard.headers['host']}/"
        card = msgspec.json.encode({"name": "x", "supportedInterfaces": interfaces})
        await reply(send, card.replace(b"{here}", here.encode()))

    async with scripted(script) as running:
        with pytest.raises(UpstreamBroken):
            await _cards(http).endpoint(_agent(card_url=running.card_url))


async def test_the_tenant_that_the_card_names_is_used_unless_one_is_configured(http: HttpClient) -> None:
    async def script(heard: Heard, send: Send) -> None:
        card = MessageToDict(card_of("x", f"http://{heard.headers['host']}/rpc"))
        card["supportedInterfaces"][0]["tenant"] = "theirs"
        await reply(send, msgspec.json.encode(card))

    async with scripted(script) as running:
        assert (await _cards(http).endpoint(_agent(card_url=running.card_url))).tenant == "theirs"
        named = _agent(card_url=running.card_url, tenant="ours")
        assert (await _cards(http).endpoint(named)).tenant == "ours"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>", UpstreamBroken),
        (200, b"[]", UpstreamBroken),
        (200, b'{"name": 7}', UpstreamBroken),
        (200, b'{"name": "x", "padding": "' + b"x" * 70_000 + b'"}', UpstreamBroken),
        (404, b"{}", UpstreamRefused),
        (302, b"", UpstreamRefused),
    ],
)
async def test_what_is_no_card_is_not_taken_for_one(
    http: HttpClient, status: int, body: bytes, error: type[UpstreamFault]
) -> None:
    async def script(heard: Heard, send: Send) -> None:
        await reply(send, body, status=status, location="http://127.0.0.1:1/")

    async with scripted(script) as running:
        with pytest.raises(error):
            await _cards(http).of(_agent(card_url=running.card_url))


@pytest.mark.parametrize(
    ("card", "wire"),
    [
        ({"url": "{here}a", "protocolVersion": "0.3.0"}, "JSONRPC/0.3"),
        ({"url": "{here}a", "preferredTransport": "HTTP+JSON"}, "HTTP+JSON/0.3"),
        (
            {
                "url": "{here}g",
                "preferredTransport": "GRPC",
                "additionalInterfaces": [{"url": "{here}a", "transport": "JSONRPC"}],
            },
            "JSONRPC/0.3",
        ),
        (
            {
                "supportedInterfaces": [
                    {"url": "{here}g", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
                    {"url": "{here}a", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0.1"},
                    {"url": "{here}b", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
                ]
            },
            "HTTP+JSON/1.0",
        ),
    ],
)
async def test_the_first_interface_that_we_speak_is_taken(http: HttpClient, card: Any, wire: str) -> None:
    async def script(heard: Heard, send: Send) -> None:
        here = f"http://{heard.headers['host']}/"
        body = msgspec.json.encode({"name": "x"} | card)
        await reply(send, body.replace(b"{here}", here.encode()))

    async with scripted(script) as running:
        endpoint = await _cards(http).endpoint(_agent(card_url=running.card_url))
        assert (endpoint.url, endpoint.wire) == (f"{running.url}a", wire)
