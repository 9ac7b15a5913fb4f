"""One gateway for all tests of a module, before one scripted provider of each kind."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.valkey import EmbeddedValkey
from tests.llm_gateway.frameworks.scripted import KINDS, Scripted, World
from tests.llm_gateway.gateway import gateway, model_section
from tests.support.providers import ScriptedProvider
from tests.support.valkey import emptied


@contextlib.asynccontextmanager
async def open_world(directory: Path, redis: str) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as opened:
        models = {
            name: Scripted(name, upstream, await opened.enter_async_context(ScriptedProvider()))
            for name, upstream in KINDS.items()
        }
        running = await opened.enter_async_context(
            gateway(
                directory,
                redis,
                accept=["key"],
                providers={name: model.section() for name, model in models.items()},
                models={name: model_section(name, aliases=[]) for name in models},
            )
        )
        secret, record = running.edge.key()
        await running.edge.keys(running.service.parts, [record])
        yield World(running, secret, models)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, valkey: EmbeddedValkey) -> AsyncIterator[World]:
    await emptied(valkey.url)
    async with open_world(tmp_path_factory.mktemp("frameworks"), valkey.url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a developer's environment wants LangChain to report, and to whom."""
    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def scripted(world: World, request: pytest.FixtureRequest) -> Scripted:
    """The model of the kind that the test is run with."""
    return world.models[request.param]
