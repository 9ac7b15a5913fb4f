"""Which address a call goes to: where its task and its conversation are, else where there is least to do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_gateway.call import Names
from agent_gateway.cards import Cards
from agent_gateway.catalog import Catalog
from agent_gateway.config import AgentEntry, Replica
from agent_gateway.probe import Probe
from agent_gateway.replicas import Place, Replicas
from agent_gateway.seen import Seen
from shared import sse
from shared.asgi import Send
from shared.errors import UpstreamUnreachable
from shared.http_client import HttpClient
from shared.redis_client import Redis
from tests.agent_gateway.gateway import ALL, gateway, message
from tests.support.agents import Asking, Echo, Heard, Patient, RunningAgent, agent, reply, scripted
from tests.support.clock import FakeClock
from tests.support.serve import someone

ONE, TWO, THREE = "http://one.test/", "http://two.test/", "http://three.test/"
NONE = Names()


class World:
    def __init__(self, redis: Redis, http: HttpClient, entries: dict[str, AgentEntry]) -> None:
        self.clock = FakeClock()
        self.catalog = Catalog(entries)
        self.cards = Cards(http, self.clock, cap=65_536, seconds=60)
        self.replicas = Replicas(redis, self.clock, self.catalog, self.cards, seconds=60)
        self.http = http

    async def chosen(self, names: Names = NONE, name: str = "pool", **caller: Any) -> Place:
        agent = self.catalog.find(name)
        assert agent is not None
        return await self.replicas.choose(agent, someone(**caller), names)

    async def spread(self, count: int) -> Counter[str]:
        return Counter([(await self.chosen()).endpoint.url for _ in range(count)])


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


@pytest.fixture
def world(redis: Redis, http: HttpClient) -> World:
    pool = AgentEntry(
        replicas=[Replica(url=ONE), Replica(url=TWO), Replica(url=THREE, weight=2)], fallback="spare"
    )
    return World(redis, http, {"pool": pool, "spare": AgentEntry(url="http://spare.test/")})


async def test_a_task_is_asked_for_where_it_is(world: World) -> None:
    place = await world.chosen()
    await world.replicas.learn(place, someone(), Seen(task="t1", context="c1"))
    for names in (Names(task="t1"), Names(context="c1"), Names(references=("t1",))):
        for _ in range(10):
            assert (await world.chosen(names)).endpoint == place.endpoint


async def test_where_a_task_is_says_nothing_about_another_tenants_of_that_name(world: World) -> None:
    place = await world.chosen()
    await world.replicas.learn(place, someone(tenant="other"), Seen(task="t1"))
    urls = {(await world.chosen(Names(task="t1"))).endpoint.url for _ in range(60)}
    assert len(urls) > 1


async def test_calls_are_spread_by_weight(world: World) -> None:
    spread = await world.spread(400)
    assert set(spread) == {ONE, TWO, THREE}
    busy = []
    for _ in range(8):
        place = await world.chosen()
        using = world.replicas.using(place)
        using.__enter__()
        busy.append((place, using))
    assert Counter(place.endpoint.url for place, _ in busy) == {ONE: 2, TWO: 2, THREE: 4}
    for _, using in busy:
        using.__exit__(None, None, None)


async def test_the_one_with_least_to_do_is_next(world: World) -> None:
    with world.replicas.using(await world.chosen()) as _, world.replicas.using(await world.chosen()):
        first = await world.chosen()
        assert world.replicas._busy[first.name] <= 1


async def test_an_address_that_does_not_answer_is_left_alone_for_a_while(world: World) -> None:
    place = await world.chosen()
    with pytest.raises(UpstreamUnreachable), world.replicas.using(place):
        raise UpstreamUnreachable("gone")
    assert place.endpoint.url not in await world.spread(50)
    world.clock.advance(11)
    assert place.endpoint.url in await world.spread(200)


async def test_a_task_stays_where_it_is_even_while_that_is_down(world: World) -> None:
    place = await world.chosen()
    await world.replicas.learn(place, someone(), Seen(task="t1"))
    world.replicas.failed(place)
    assert (await world.chosen(Names(task="t1"))).endpoint == place.endpoint


async def test_the_fallback_is_called_while_none_answers(world: World) -> None:
    pool = world.catalog.find("pool")
    assert pool is not None
    own = [place for place in await world.replicas.places(pool) if place.agent is pool]
    for place in own:
        world.replicas.failed(place)
    found = await world.chosen()
    assert (found.agent.name, found.asked) == ("spare", "pool")
    world.replicas.failed(found)
    assert (await world.chosen()).agent.name == "pool"
    world.replicas.answered(own[0])
    assert (await world.chosen()).name == own[0].name


async def test_one_address_is_no_choice_and_asks_nobody(redis: Redis, http: HttpClient) -> None:
    world = World(redis, http, {"pool": AgentEntry(url=ONE)})
    place = await world.chosen(Names(task="t1"))
    assert place.endpoint.url == ONE
    await world.replicas.learn(place, someone(), Seen(task="t1"))
    assert await redis.execute("DBSIZE") == 0


async def test_health_is_an_answer_in_a2a_and_not_an_open_port(redis: Redis, http: HttpClient) -> None:
    async def page(_: Heard, send: Send) -> None:
        await reply(send, b"<html>it works</html>", kind="text/html")

    async def closed(_: Heard, send: Send) -> None:
        await reply(send, b"{}", status=401)

    async with agent(Echo()) as well, scripted(page) as web, scripted(closed) as shut, agent(Echo()) as gone:
        pass
    async with agent(Echo()) as well, scripted(page) as web, scripted(closed) as shut:
        addresses = [well.url, web.url, shut.url, gone.url]
        world = World(redis, http, {"pool": AgentEntry(replicas=[Replica(url=url) for url in addresses])})
        probe = Probe(http, world.catalog, world.replicas, seconds=3600)
        pool = world.catalog.find("pool")
        assert pool is not None
        places = await world.replicas.places(pool)
        assert [await probe.alive(place) for place in places] == [True, False, True, False]
        await probe.look()
        assert [world.replicas.up(place) for place in places] == [True, False, True, False]
        assert "authorization" not in well.heard[0].headers


def _pool(*replicas: RunningAgent, **more: Any) -> dict[str, Any]:
    return {"url": "", "replicas": [{"url": replica.url} for replica in replicas], **more}


async def test_a_conversation_over_the_gateway_stays_with_one_replica(tmp_path: Path) -> None:
    async with (
        agent(Asking()) as one,
        agent(Asking()) as two,
        gateway(tmp_path, pool=one, settings={"pool": _pool(one, two)}) as gate,
    ):
        for _ in range(40):
            # Which replica begins one is left to chance: until each has.
            if one.calls() and two.calls():
                break
            first = await gate.call("pool", "SendMessage", message())
            task = first.json["result"]["task"]
            assert task["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
            again = message("this one", taskId=task["id"], contextId=task["contextId"])
            second = await gate.call("pool", "SendMessage", again)
            assert second.json["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
            got = await gate.call("pool", "GetTask", {"id": task["id"]})
            assert got.json["result"]["id"] == task["id"]
        assert one.calls()
        assert two.calls()


async def test_a_task_that_still_streams_is_found_too(tmp_path: Path) -> None:
    patient = [Patient(), Patient()]
    async with (
        agent(patient[0]) as one,
        agent(patient[1]) as two,
        gateway(tmp_path, pool=one, settings={"pool": _pool(one, two)}) as gate,
    ):
        async with gate.stream("pool") as events:
            [first] = await events.take(1)
            found = msgspec.json.decode(sse.data_of(first))["result"]["task"]["id"]
            got = await gate.call("pool", "GetTask", {"id": found})
            assert got.json["result"]["id"] == found
        for each in patient:
            each.end.set()


async def test_a_fallback_needs_permission_of_its_own_and_is_named_in_the_chain(tmp_path: Path) -> None:
    async with agent(Echo()) as gone:
        pass
    async with agent(Echo()) as spare:
        settings = {"pool": _pool(gone, gone, fallback="spare")}
        async with gateway(tmp_path, pool=gone, spare=spare, settings=settings, rules=ALL) as gate:
            assert "no connection" in (await gate.call("pool", "SendMessage", message())).message
            assert (await gate.call("pool", "SendMessage", message())).code == 0
            await gate.row(resource="agent:spare", outcome="completed")
        deny = {"sub": "*", "dom": "*", "obj": "agent:spare", "act": "*", "eft": "deny"}
        denied = tmp_path / "denied"
        denied.mkdir()
        async with gateway(denied, pool=gone, spare=spare, settings=settings, rules=[*ALL, deny]) as gate:
            answers = [await gate.call("pool", "SendMessage", message()) for _ in range(2)]
            assert answers[1].code == -32000
            assert len(spare.calls()) == 1


async def test_a_busy_replica_is_passed_over(tmp_path: Path) -> None:
    busy = [Patient(), Patient()]
    async with (
        agent(busy[0]) as one,
        agent(busy[1]) as two,
        gateway(tmp_path, pool=one, settings={"pool": _pool(one, two)}) as gate,
    ):
        async with gate.stream("pool") as first, gate.stream("pool") as second:
            await asyncio.gather(first.take(1), second.take(1))
            assert len(one.calls("SendStreamingMessage")) == 1
            assert len(two.calls("SendStreamingMessage")) == 1
        for each in busy:
            each.end.set()
