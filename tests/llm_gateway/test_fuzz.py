"""Whatever a provider answers, the caller gets an answer or an error in its own words, and soon: never an
error of ours, never silence.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.valkey import EmbeddedValkey
from tests.llm_gateway.beside import Beside, beside
from tests.llm_gateway.garbage import WIRES, Said, answers, seed, written
from tests.llm_gateway.gateway import Gateway, Heard, gateway
from tests.llm_gateway.matrix.upstream_anthropic import AnthropicUpstream
from tests.llm_gateway.matrix.upstream_bedrock import BedrockUpstream
from tests.llm_gateway.matrix.upstream_gemini import GeminiUpstream
from tests.llm_gateway.matrix.upstream_openai import ChatUpstream
from tests.llm_gateway.matrix.upstream_responses import ResponsesUpstream
from tests.support.bedrock_provider import EVENT_STREAM
from tests.support.providers import Call, ScriptedProvider
from tests.support.serve import rows, someone
from tests.support.valkey import emptied

pytestmark = pytest.mark.timeout(120)
SECTIONS: dict[str, Any] = {
    "chat": ChatUpstream(),
    "responses": ResponsesUpstream(),
    "anthropic": AnthropicUpstream(),
    "gemini": GeminiUpstream(),
    "bedrock": BedrockUpstream(),
}
# A provider that has failed a hundred times is asked all the same.
TRUSTING = {"breaker": {"consecutive": 1_000_000, "minimum_calls": 1_000_000}}
# These callers' answers are taken apart even where they could pass.
WATCHED = "watched"
GUARDS = [
    {"kind": "pii", "name": "pii", "action": "redact", "match": {"team": WATCHED}},
    {"kind": "secrets", "name": "secrets", "action": "redact", "match": {"team": WATCHED}},
]
MESSAGES = [{"role": "user", "content": "Hi"}]
PATIENCE, HASTE = 2.0, 0.2
many = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class World:
    def __init__(self, opened: Gateway, provider: ScriptedProvider) -> None:
        self._gateway = opened
        self._provider = provider

    async def ask(self, dialect: str, wire: str, team: str, said: Said, *, streamed: bool) -> Heard:
        self._provider.will(said.behaviour())
        path, body = asked(dialect, wire, streamed=streamed)
        return await self._gateway.hear(body, path=path, caller=someone(team=team, tenant=wire))

    async def left_alone(self, dialect: str, wire: str, said: bytes) -> Heard:
        """What a caller hears of a provider that begins a stream and never goes on."""

        async def behave(call: Call) -> None:
            kind = EVENT_STREAM if wire == "bedrock" else "text/event-stream"
            await call.start({"content-type": kind})
            if said:
                await call.send(said)
            await call.gone()

        self._provider.will(behave)
        path, body = asked(dialect, f"hasty-{wire}", streamed=True)
        return await self._gateway.hear(body, path=path, caller=someone(tenant=wire))

    async def faults(self, tenant: str) -> list[str]:
        found = await rows(self._gateway.service.parts.redis, tenant)
        return [f"{row.reason}: {row.detail}" for row in found if row.reason == "fault"]


def asked(dialect: str, wire: str, *, streamed: bool) -> tuple[str, dict[str, Any]]:
    if dialect == "gemini":
        verb = "streamGenerateContent?alt=sse" if streamed else "generateContent"
        return f"/v1beta/models/{wire}:{verb}", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    body: dict[str, Any] = {"model": wire, "stream": streamed}
    if dialect == "responses":
        return "/v1/responses", body | {"input": "Hi"}
    if dialect == "anthropic":
        return "/v1/messages", body | {"messages": MESSAGES, "max_tokens": 50}
    return "/v1/chat/completions", body | {"messages": MESSAGES}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, valkey: EmbeddedValkey) -> Iterator[Beside[World]]:
    directory = tmp_path_factory.mktemp("fuzz")
    with beside(lambda: _opened(directory, valkey.url)) as there:
        yield there


@contextlib.asynccontextmanager
async def _opened(directory: Path, redis: str) -> AsyncIterator[World]:
    await emptied(redis)
    async with ScriptedProvider() as provider:
        url = provider.base_url
        hasty = {"idle_timeout_seconds": HASTE, "first_byte_timeout_seconds": HASTE}
        known = {wire: {**SECTIONS[wire].section(url), "idle_timeout_seconds": PATIENCE} for wire in WIRES}
        known |= {f"hasty-{wire}": {**SECTIONS[wire].section(url), **hasty} for wire in WIRES}
        models = {name: {"targets": [{"provider": name, "model": "m"}]} for name in known}
        async with gateway(
            directory,
            redis,
            provider,
            providers=known,
            models=models,
            router=TRUSTING,
            guards=GUARDS,
            transcripts=[{"match": {"team": WATCHED}}],
        ) as opened:
            yield World(opened, provider)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("wire", WIRES)
def test_nothing_that_a_provider_says_is_too_much(there: Beside[World], wire: str, streamed: bool) -> None:
    @many
    @given(
        said=answers(wire, streamed=streamed),
        dialect=st.sampled_from(["chat", "responses", "anthropic", "gemini"]),
        team=st.sampled_from(["support", WATCHED]),
    )
    def holds(said: Said, dialect: str, team: str) -> None:
        heard = there.run(there.world.ask(dialect, wire, team, said, streamed=streamed))
        assert heard.status != 500, heard.body
        assert b"internal error" not in heard.body
        if heard.status != 200 or not streamed:
            json.loads(heard.body)
        else:
            assert ends(dialect, heard.body), heard.body

    try:
        holds()
    finally:
        assert there.run(there.world.faults(wire)) == []


@pytest.mark.parametrize("dialect", ["chat", "responses", "anthropic", "gemini"])
@pytest.mark.parametrize("wire", WIRES)
def test_a_provider_that_falls_silent_is_not_waited_for(
    there: Beside[World], wire: str, dialect: str
) -> None:
    events = [written(wire, event) for event in seed(wire)[1]]
    for many in {0, 1, len(events) - 1}:
        heard = there.run(there.world.left_alone(dialect, wire, b"".join(events[:many])))
        assert heard.status in (200, 504), heard.body
        if heard.status == 200:
            assert ends(dialect, heard.body), heard.body
    assert there.run(there.world.faults(wire)) == []


def ends(dialect: str, body: bytes) -> bool:
    """Whether a client of this dialect knows that a stream is over, and how."""
    last = body.decode(errors="replace").rstrip("\r\n").replace("\r", "").rpartition("\n\n")[2]
    over = {
        "chat": ("data: [DONE]", '"error"'),
        "responses": ("response.completed", "response.incomplete", "response.failed", '"error"'),
        "anthropic": ("message_stop", '"error"'),
        "gemini": ('"finishReason"', '"error"', '"promptFeedback"'),
    }
    return any(mark in last for mark in over[dialect])
