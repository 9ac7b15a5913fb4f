"""The official client before a gateway that is deployed alone, with models of every kind behind it."""

from collections.abc import AsyncIterator

import openai
import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, model_section, rule
from tests.support.providers import ScriptedProvider

TOKENS = {"in": 1_000_000, "out": 4_000_000, "image_in": 2_000_000, "audio_in": 3_000_000}
UNITS = {"units": 40_000_000_000, "unit": "image"}
MODELS = {
    "fast": model_section(price=TOKENS),
    "drawn": model_section(price=UNITS, aliases=[]),
    "omni-moderation-latest": model_section(price={"in": 0}, aliases=[]),
    "secret": model_section(aliases=[]),
}
POLICY = {"rules": [rule(), rule(obj="model:secret", eft="deny")]}


@pytest.fixture
async def alone(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    async with opened(provider, accept=["key"], models=MODELS, policy=POLICY) as gateway:
        yield gateway


@pytest.fixture
async def client(alone: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    secret, record = alone.edge.key()
    await alone.edge.keys(alone.service.parts, [record])
    async with openai.AsyncOpenAI(base_url=f"{alone.url}/v1", api_key=secret, max_retries=0) as client:
        yield client
