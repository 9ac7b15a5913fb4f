"""Reading, listing, deleting and cancelling a response afterwards, wherever it is kept."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from llm_gateway import app
from llm_gateway.authorize import Authorize
from llm_gateway.catalog import Catalog
from llm_gateway.chat.parts import Text
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.config import Section, problems
from llm_gateway.formats.openai_responses import OpenAIResponses
from llm_gateway.responses import Record, Responses, key_of
from llm_gateway.responses_endpoint import PATHS, ResponsesEndpoint
from shared.authenticators import Authenticate
from shared.authenticators.virtual_key import VirtualKey
from shared.config import Loaded
from shared.identity.principal import Caller
from shared.ledger.entry import Entry
from shared.parts import Parts
from shared.redis_client import Redis
from shared.run import Service
from shared.valkey import EmbeddedValkey
from tests.llm_gateway.gateway import model_section, provider_section, rule
from tests.llm_gateway.uploads import own_files
from tests.support.providers import REAL_MODEL, Call, ScriptedProvider, error, whole
from tests.support.responses_provider import ID, response
from tests.support.serve import Edge, Running, running, someone

SPOKEN = OpenAIResponses()


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The gateway with this endpoint before everything else."""
    endpoint = ResponsesEndpoint(
        account=parts.account,
        authenticate=Authenticate((VirtualKey(parts.keyring),)),
        authorize=Authorize(Catalog(loaded.section), parts.policy, parts.limiter),
        responses=Responses(parts.redis, SPOKEN, own_files(parts.redis)),
        http=parts.http,
        dialect=SPOKEN.dialect,
    )
    built = app.build(loaded, parts)
    built.router.routes[:0] = [Route(path, endpoint=endpoint) for path in PATHS]
    return built


class World:
    """The service, the client of one caller, and what is kept for it."""

    def __init__(self, service: Running, client: openai.AsyncOpenAI, caller: Caller) -> None:
        self.service = service
        self.client = client
        self.responses = Responses(service.parts.redis, SPOKEN, own_files(service.parts.redis))
        self._caller = caller

    async def kept(self, **members: object) -> str:
        ask = SPOKEN.read(msgspec.json.encode({"model": "fast", "input": "hi"} | members), {})
        reply = Reply(id="x", model=REAL_MODEL, parts=(Text(text="Hello"),), stop=Stop.END)
        entry = Entry(id="e", service="llm_gateway", started_at=0)
        await self.responses.keep(self._caller, ask, reply, None, entry, passed=False)
        return ask.id

    async def upstream(self, id: str = ID) -> str:
        record = Record(actors=self._caller.actors, model="fast", target=f"main/{REAL_MODEL}", upstream_id=id)
        await self.keep(record, id)
        return id

    async def keep(self, record: Record, id: str) -> None:
        packed = msgspec.msgpack.encode(record)
        await self.service.parts.redis.execute("SET", key_of(self._caller, id), packed)


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        provider.will(whole(msgspec.json.encode(response())))
        yield provider


@pytest.fixture
async def world(
    tmp_path: Path, valkey: EmbeddedValkey, redis: Redis, provider: ScriptedProvider
) -> AsyncIterator[World]:
    section = {
        "providers": {"main": provider_section(provider, wires=["openai_chat", "openai_responses"])},
        "models": {"fast": model_section()},
        "accept": ["key"],
    }
    config = {"llm_gateway": section, "policy": {"rules": [rule(sub="user:alice")]}}
    service = Service(name="llm_gateway", section=Section, problems=problems, build=build)
    edge = Edge(tmp_path)
    async with running(
        service, config, tmp_path, edge=edge, redis=valkey.url, environ={"KEY": "sk-upstream"}
    ) as opened:
        secret, record = edge.key()
        await edge.keys(opened.parts, [record])
        caller = someone("user:alice")
        async with openai.AsyncOpenAI(base_url=f"{opened.url}/v1", api_key=secret, max_retries=0) as client:
            yield World(opened, client, caller)


async def test_what_is_kept_here_is_read_and_deleted(world: World, provider: ScriptedProvider) -> None:
    id = await world.kept(metadata={"a": "b"})
    found = await world.client.responses.retrieve(id)
    assert (found.id, found.output_text, found.metadata) == (id, "Hello", {"a": "b"})
    await world.client.responses.delete(id)
    with pytest.raises(openai.NotFoundError):
        await world.client.responses.retrieve(id)
    assert provider.calls == []


async def test_what_was_said_is_listed_in_pages(world: World) -> None:
    given: Any = [{"role": "user", "content": f"{n}"} for n in range(25)]
    id = await world.kept(input=given)
    texts = []
    async for item in await world.client.responses.input_items.list(id):
        texts.append(item.to_dict()["content"][0]["text"])  # type: ignore[index]
    assert texts == [str(n) for n in reversed(range(25))]
    first = await world.client.responses.input_items.list(id, order="asc", limit=2)
    assert [item.id for item in first.data] == ["item_000000", "item_000001"]
    with pytest.raises(openai.BadRequestError):
        await world.client.responses.input_items.list(id, limit=1_000)


async def test_what_a_provider_keeps_is_asked_of_that_provider(
    world: World, provider: ScriptedProvider
) -> None:
    id = await world.upstream()
    found = await world.client.responses.retrieve(id, include=["reasoning.encrypted_content"])
    assert found.output_text == "Hello there"
    call: Call = provider.last
    assert (call.method, call.path.partition("?")[0]) == ("GET", f"/v1/responses/{id}")
    assert "include" in call.path
    assert call.headers["authorization"] == "Bearer sk-upstream"
    await world.client.responses.cancel(id)
    assert (provider.last.method, provider.last.path) == ("POST", f"/v1/responses/{id}/cancel")
    await world.client.responses.delete(id)
    assert provider.last.method == "DELETE"
    with pytest.raises(openai.NotFoundError):
        await world.client.responses.retrieve(id)
    assert len(provider.calls) == 3


@pytest.mark.parametrize(("status", "seen"), [(404, 404), (401, 502), (500, 502)])
async def test_a_provider_that_does_not_give_it_is_told_of(
    world: World, provider: ScriptedProvider, status: int, seen: int
) -> None:
    provider.will(error(status))
    with pytest.raises(openai.APIStatusError) as caught:
        await world.client.responses.retrieve(await world.upstream())
    assert caught.value.status_code == seen


async def test_only_what_runs_in_the_background_is_cancelled(world: World) -> None:
    with pytest.raises(openai.BadRequestError, match="background"):
        await world.client.responses.cancel(await world.kept())


async def test_what_is_there_for_others_is_not_there(world: World) -> None:
    id = await world.kept()
    record = Record(actors=("user:bob",), model="fast", target=f"main/{REAL_MODEL}", upstream_id="resp_b")
    await world.keep(record, "resp_b")
    for name in ("resp_b", "resp_nobody", "x" * 500):
        with pytest.raises(openai.NotFoundError):
            await world.client.responses.retrieve(name)
    assert (await world.client.responses.retrieve(id)).id == id


async def test_a_row_says_what_was_done(world: World) -> None:
    await world.client.responses.retrieve(await world.kept())
    (row,) = await world.service.rows(1)
    assert (row.resource, row.action, row.decision, row.outcome) == (
        "model:fast",
        "read",
        "allow",
        "completed",
    )


async def test_a_stream_of_what_is_over_is_refused(world: World) -> None:
    with pytest.raises(openai.BadRequestError, match="stream"):
        await world.client.responses.retrieve(await world.kept(), stream=True)


async def test_other_methods_are_refused(world: World) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await world.client.patch(f"/responses/{await world.kept()}", cast_to=object)
    assert caught.value.status_code == 405
