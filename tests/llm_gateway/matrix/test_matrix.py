"""Every dialect against every kind of provider, through the official SDKs: the same is asked and the same is
heard.
"""

import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from shared.valkey import EmbeddedValkey
from tests.llm_gateway.gateway import Gateway, gateway
from tests.llm_gateway.matrix.clients import CLIENTS, Client
from tests.llm_gateway.matrix.heard import OUTPUT_SCHEMA, PNG, TOOL, TOOL_SCHEMA
from tests.llm_gateway.matrix.upstream import TOKENS_IN, TOKENS_OUT, Calls, Upstream
from tests.llm_gateway.matrix.upstream_anthropic import AnthropicUpstream
from tests.llm_gateway.matrix.upstream_bedrock import BedrockUpstream
from tests.llm_gateway.matrix.upstream_gemini import GeminiUpstream
from tests.llm_gateway.matrix.upstream_openai import ChatUpstream
from tests.llm_gateway.matrix.upstream_responses import ResponsesUpstream
from tests.llm_gateway.matrix.upstream_vertex import VertexUpstream
from tests.support.providers import ScriptedProvider
from tests.support.valkey import emptied

UPSTREAMS: dict[str, Upstream] = {
    "chat": ChatUpstream(),
    "responses": ResponsesUpstream(),
    "anthropic": AnthropicUpstream(),
    "gemini": GeminiUpstream(),
    "bedrock": BedrockUpstream(),
    # By what its models are called, Vertex knows whose they are.
    "claude-vertex": VertexUpstream(),
}
OSLO, ROME = ("call_1", TOOL, {"city": "Oslo"}), ("call_2", TOOL, {"city": "Rome"})
MADE = '{"name":"Ada","age":36}'

# Those that fail have a deployment of their own: one that is resting would refuse the others' calls.
TROUBLES = ("refused", "limited", "cut")

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("dialect", CLIENTS),
    pytest.mark.parametrize("upstream", UPSTREAMS, ids=str),
]


class Between:
    """A gateway before one provider of each kind."""

    def __init__(self, running: Gateway, secret: str, providers: dict[str, ScriptedProvider]) -> None:
        self._running = running
        self._secret = secret
        self.providers = providers

    @contextlib.asynccontextmanager
    async def client(self, dialect: str, kind: str, trouble: str = "") -> AsyncIterator[Client]:
        """An SDK of one dialect that asks a provider of one kind."""
        model = f"{kind}-{trouble}" if trouble else kind
        client = CLIENTS[dialect](self._running.url, self._secret, f"{model}-{dialect}")
        try:
            yield client
        finally:
            await client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def between(tmp_path_factory: pytest.TempPathFactory, valkey: EmbeddedValkey) -> AsyncIterator[Between]:
    await emptied(valkey.url)
    async with contextlib.AsyncExitStack() as opened:
        providers = {kind: await opened.enter_async_context(ScriptedProvider()) for kind in UPSTREAMS}
        running = await opened.enter_async_context(
            gateway(
                tmp_path_factory.mktemp("matrix"),
                valkey.url,
                accept=["key"],
                providers={
                    kind: UPSTREAMS[kind].section(provider.base_url) for kind, provider in providers.items()
                },
                models={
                    f"{name}-{dialect}": {"targets": [{"provider": kind, "model": f"{name}-{dialect}"}]}
                    for kind in UPSTREAMS
                    for name in (kind, *(f"{kind}-{trouble}" for trouble in TROUBLES))
                    for dialect in CLIENTS
                },
            )
        )
        secret, record = running.edge.key()
        await running.edge.keys(running.service.parts, [record])
        yield Between(running, secret, providers)


async def test_text(between: Between, dialect: str, upstream: str) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.says("Hello there"))
    async with between.client(dialect, upstream) as client:
        heard = await client.text()
    assert (heard.text, heard.status) == ("Hello there", 0)
    assert (heard.tokens_in, heard.tokens_out) == (TOKENS_IN, TOKENS_OUT)
    assert b"Be brief." in provider.last.body


async def test_stream(between: Between, dialect: str, upstream: str) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.streams("Hel", "lo ", "there"))
    async with between.client(dialect, upstream) as client:
        heard = await client.stream()
    assert (heard.text, heard.broken) == ("Hello there", False)
    assert heard.pieces == 3
    assert (heard.tokens_in, heard.tokens_out) == (TOKENS_IN, TOKENS_OUT)


@pytest.mark.parametrize("calls", [(OSLO,), (OSLO, ROME)], ids=["one", "parallel"])
async def test_tools(between: Between, dialect: str, upstream: str, calls: Calls) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.says(calls=calls))
    async with between.client(dialect, upstream) as client:
        heard = await client.tools()
    assert heard.calls == [(name, arguments) for _, name, arguments in calls]
    schema = wire.tool(provider.last)
    assert (schema["type"].lower(), set(schema["properties"])) == ("object", set(TOOL_SCHEMA["properties"]))


async def test_a_tool_loop_keeps_results_in_place_and_signed_thoughts_whole(
    between: Between, dialect: str, upstream: str
) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.says(thinking="Hm.", calls=(OSLO, ROME)), wire.says("Sunny in both."))
    async with between.client(dialect, upstream) as client:
        heard = await client.loop()
    assert heard.text == "Sunny in both."
    oslo, rome = wire.results(provider.last)
    # Google's clients wrap what a tool says in an object.
    assert ("sunny in Oslo" in oslo, "sunny in Rome" in rome) == (True, True)
    if wire.signs:
        assert wire.signatures(provider.last)


async def test_image(between: Between, dialect: str, upstream: str) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.says("A red pixel."))
    async with between.client(dialect, upstream) as client:
        heard = await client.image()
    assert heard.text == "A red pixel."
    assert wire.image(provider.last) == PNG


async def test_structured_output(between: Between, dialect: str, upstream: str) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.says(MADE))
    async with between.client(dialect, upstream) as client:
        heard = await client.structured()
    assert msgspec.json.decode(heard.text) == {"name": "Ada", "age": 36}
    asked = msgspec.json.encode(wire.schema(provider.last))
    assert all(name.encode() in asked for name in OUTPUT_SCHEMA["properties"])


async def test_thinking(between: Between, dialect: str, upstream: str) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.says("42", thinking="Let me see."))
    async with between.client(dialect, upstream) as client:
        heard = await client.thinking()
    assert (heard.text, heard.thinking) == ("42", "Let me see.")


async def test_a_request_that_the_provider_refuses(between: Between, dialect: str, upstream: str) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.refuses(400, "the seventh message is odd"))
    async with between.client(dialect, upstream, "refused") as client:
        heard = await client.text()
    assert heard.status == 400
    assert "the seventh message is odd" in heard.words


async def test_a_provider_over_its_limit(between: Between, dialect: str, upstream: str) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.refuses(429, "slow down"))
    async with between.client(dialect, upstream, "limited") as client:
        heard = await client.text()
    assert heard.status == 429


async def test_a_stream_that_is_cut_does_not_look_complete(
    between: Between, dialect: str, upstream: str
) -> None:
    wire, provider = UPSTREAMS[upstream], between.providers[upstream]
    provider.will(wire.cuts("Hel", "lo"))
    async with between.client(dialect, upstream, "cut") as client:
        heard = await client.stream()
    assert heard.broken
    assert "Hello".startswith(heard.text)
