"""Deployments are asked how they are by one process, and all of them hear it."""

from collections.abc import AsyncIterator

import pytest

from llm_gateway.catalog import Target
from llm_gateway.config import ProviderSection
from llm_gateway.prices import Price
from llm_gateway.providers.openai_compatible import OpenAICompatible
from llm_gateway.router.probe import Probes
from llm_gateway.router.section import ProbeSection
from llm_gateway.router.state import State
from shared.attempts import BreakerRule
from shared.http_client import HttpClient
from shared.redis_client import Redis
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.router.live import fast, to
from tests.support.clock import FakeClock
from tests.support.providers import ScriptedProvider, completion, error, whole
from tests.support.wait import eventually

RULE = BreakerRule(consecutive=1, cooldown_seconds=10)


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


class Process:
    """One of several: its own state, the same Redis."""

    def __init__(self, provider: ScriptedProvider, http: HttpClient, redis: Redis, **section: object) -> None:
        self.clock = FakeClock()
        self.state = State(self.clock, RULE)
        self.target = Target(
            OpenAICompatible("main", ProviderSection(base_url=provider.base_url)), "m", Price()
        )
        given = ProbeSection(**section)  # type: ignore[arg-type]
        self.probes = Probes(given, [self.target], self.state, http, redis, lambda: 0.5)

    @property
    def circuit(self) -> str:
        return self.state.of(self.target).circuit.state


async def test_a_call_for_one_token_tells_how_a_deployment_is(
    provider: ScriptedProvider, http: HttpClient, redis: Redis
) -> None:
    process = Process(provider, http, redis)
    await process.probes.round()
    assert (provider.last.path, provider.last.json["model"]) == ("/v1/chat/completions", "m")
    assert 1 in (provider.last.json.get("max_tokens"), provider.last.json.get("max_completion_tokens"))
    assert process.circuit == "closed"


async def test_a_path_is_asked_instead_where_one_is_given(
    provider: ScriptedProvider, http: HttpClient, redis: Redis
) -> None:
    provider.will(whole(b'{"data":[]}'))
    await Process(provider, http, redis, path="/models").probes.round()
    assert (provider.last.method, provider.last.path) == ("GET", "/v1/models")


async def test_bad_news_open_a_circuit_and_good_news_close_it(
    provider: ScriptedProvider, http: HttpClient, redis: Redis
) -> None:
    provider.will(error(500), completion())
    process = Process(provider, http, redis)
    await process.probes.round()
    assert process.circuit == "open"
    await redis.execute("DEL", "gs:probe:main/m:asking")
    process.clock.advance(10)
    await process.probes.round()
    assert process.circuit == "closed"


async def test_who_refuses_the_question_is_well(
    provider: ScriptedProvider, http: HttpClient, redis: Redis
) -> None:
    provider.will(error(400))
    process = Process(provider, http, redis)
    await process.probes.round()
    assert process.circuit == "closed"


async def test_only_one_process_asks_and_the_others_hear_of_it(
    provider: ScriptedProvider, http: HttpClient, redis: Redis
) -> None:
    provider.will(error(500))
    processes = [Process(provider, http, redis) for _ in range(3)]
    for process in processes:
        await process.probes.round()
    assert len(provider.calls) == 1
    assert [process.circuit for process in processes] == ["open"] * 3


async def test_without_redis_every_process_asks_for_itself(
    provider: ScriptedProvider, http: HttpClient, redis: Redis
) -> None:
    processes = [Process(provider, http, redis) for _ in range(2)]
    await redis.close()
    for process in processes:
        await process.probes.round()
    assert len(provider.calls) == 2


async def test_probes_are_off_unless_configured(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider) as gateway:
        assert (await gateway.ask()).status == 200
        assert len(provider.calls) == 1


async def test_a_gateway_with_probes_asks_by_itself(opened: Open, provider: ScriptedProvider) -> None:
    router = {"probes": {"interval_seconds": 1, "path": "/models"}}
    async with opened(provider, router=router, models=fast(to("main"))):
        await eventually(lambda: provider.calls)
        assert provider.last.path == "/v1/models"
