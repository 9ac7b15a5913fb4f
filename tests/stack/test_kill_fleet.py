"""The kill switch over three replicas of every service: who is meant is cut everywhere, nobody else is, and
no death of a part forgets an order.
"""

from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from tests.stack.conftest import TENANT
from tests.support.crowd import KINDS, Stream, crowd, opened, sections
from tests.support.endless import endless
from tests.support.fleet import Fleet, running_fleet
from tests.support.postgres import Postgres
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

EACH = 25
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
# How a caller reads in its own wire format that it was stopped.
SIGNS = {
    "chat": b'"code":"killed"',
    "tool": b'"code":-32012',
    "agent": b'"reason":"KILLED"',
    "route": b"event: error",
}
SELECTORS = (
    {"team": "red"},
    {"user": "alice", "team": "red"},
    {"tenant": TENANT},
    {"model": "fast"},
    {"provider": "up"},
    {"agent": "patient"},
    {"tool": "tools/endless"},
    {"server": "tools"},
)
# What these name is known to one gateway alone: only its streams end.
REACH = {"model": {"chat"}, "provider": {"chat"}, "agent": {"agent"}, "tool": {"tool"}, "server": {"tool"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> AsyncIterator[Fleet]:
    directory = tmp_path_factory.mktemp("fleet")
    async with (
        endless() as upstream,
        running_fleet(directory, sql=await postgres.database(), **sections(upstream)) as found,
    ):
        yield found


async def key_of(fleet: Fleet, sub: str, team: str = "red", tenant: str = TENANT) -> tuple[str, str]:
    """A new key's secret, known at every edge, and its id."""
    made = await fleet.admin("POST", "/keys", {"sub": sub, "tenant": tenant, "team": team})
    assert made.status == 201, made.body
    secret = str(made.json["secret"])
    for edge in range(len(fleet.edges)):
        await eventually(partial(works, fleet, secret, edge), "the key is known")
    return secret, str(made.json["id"])


async def works(fleet: Fleet, key: str, edge: int = 0) -> bool:
    return await status(fleet, key, edge) == 200


async def status(fleet: Fleet, key: str, edge: int = 0) -> int:
    return (await fleet.send("POST", "/v1/chat/completions", key=key, body=CHAT, edge=edge)).status


async def ordered(fleet: Fleet, edge: int = 0, **selector: str) -> str:
    made = await fleet.admin("POST", "/kills", {"selector": selector, "reason": "a test"}, edge)
    assert made.status == 201, made.body
    return str(made.json["id"])


async def lifted(fleet: Fleet, kill: str, *keys: str, edge: int = 0) -> None:
    assert (await fleet.admin("DELETE", f"/kills/{kill}", edge=edge)).status == 200
    for key in keys:
        for place in range(len(fleet.edges)):
            await eventually(partial(works, fleet, key, place), "it is lifted everywhere")


async def all_end(streams: list[Stream]) -> None:
    await eventually(lambda: all(stream.ended_ns for stream in streams), "every stream has ended")
    for stream in streams:
        assert SIGNS[stream.kind] in stream.last, (stream.kind, stream.last)


async def go_on(streams: list[Stream]) -> None:
    """Each has had something new to say since."""
    before = [stream.ticks for stream in streams]

    def said() -> bool:
        return all(stream.ticks > ticks for stream, ticks in zip(streams, before, strict=True))

    await eventually(said, "the others go on")
    assert all(stream.open for stream in streams)


async def test_of_two_hundred_streams_a_kill_ends_those_that_are_meant_and_no_other(fleet: Fleet) -> None:
    (alice, _), (bob, _) = await key_of(fleet, "user:alice"), await key_of(fleet, "user:bob")
    streams = await crowd([edge.url for edge in fleet.edges], [alice, bob], EACH)
    hers, his = streams[: len(streams) // 2], streams[len(streams) // 2 :]
    await every_open_call_is_told(fleet)
    kill = await ordered(fleet, edge=1, user="alice")
    await all_end(hers)
    assert await status(fleet, alice, 2) == 403
    await go_on(his)
    await lifted(fleet, kill, alice, edge=2)
    for stream in his:
        stream.close()


async def every_open_call_is_told(fleet: Fleet) -> None:
    """A dry run finds what is open anywhere, whichever edge is asked, and cuts nothing."""
    body = {"selector": {"user": "alice"}, "dry_run": True}
    expected = {"llm_gateway": EACH, "mcp_gateway": EACH, "agent_gateway": EACH}
    for edge in range(len(fleet.edges)):
        told = (await fleet.admin("POST", "/kills", body, edge)).json
        assert (told["asked"], told["answered"]) == (len(fleet.all), len(fleet.all))
        assert told["calls"] == {"api_gateway": len(KINDS) * EACH, **expected}
        by_resource = Counter(hit["resource"] for hit in told["would_cut"] if "model:" in hit["resource"])
        assert by_resource == {"model:fast": EACH}


async def test_revoking_a_key_ends_what_is_open_with_it_and_nothing_else(fleet: Fleet) -> None:
    (gone, name), (other, _) = await key_of(fleet, "user:alice"), await key_of(fleet, "user:alice")
    streams = await crowd([edge.url for edge in fleet.edges], [gone, other], 3)
    cut, spared = streams[: len(streams) // 2], streams[len(streams) // 2 :]
    assert (await fleet.admin("DELETE", f"/keys/{name}", edge=2)).status == 200
    await all_end(cut)
    assert [await status(fleet, gone, edge) for edge in range(3)] == [401] * 3
    await go_on(spared)
    for stream in spared:
        stream.close()


@pytest.mark.parametrize("selector", SELECTORS, ids=str)
async def test_every_kind_of_selector_ends_what_it_names(fleet: Fleet, selector: dict[str, str]) -> None:
    key, _ = await key_of(fleet, "user:alice")
    stranger, _ = await key_of(fleet, "user:alice", team="blue", tenant="globex")
    urls = [edge.url for edge in fleet.edges]
    meant, others = await crowd(urls, [key], 2), await crowd(urls, [stranger], 1)
    named = REACH.get(min(selector), set(KINDS))
    kill = await ordered(fleet, **selector)  # type: ignore[arg-type]
    await all_end([stream for stream in meant if stream.kind in named])
    left = [stream for stream in meant if stream.kind not in named]
    if "model" not in selector and "provider" not in selector and named != set(KINDS):
        left += [stream for stream in others if stream.kind not in named]
    elif named == set(KINDS):
        left += others
    await go_on(left)
    await lifted(fleet, kill, key)
    for stream in (*meant, *others):
        stream.close()


async def test_a_chain_is_killed_and_no_other_of_the_same_caller(fleet: Fleet) -> None:
    key, _ = await key_of(fleet, "user:alice")
    for place, kind in enumerate(KINDS):
        cut, spared = [await opened(fleet.edges[at % 3].url, kind, key) for at in (place, place + 1)]
        kill = await ordered(fleet, edge=2, chain=cut.chain)
        await all_end([cut])
        await go_on([spared])
        await lifted(fleet, kill)
        spared.close()


async def test_killing_everything_ends_everything_and_any_edge_lifts_it(fleet: Fleet) -> None:
    (alice, _), (other, _) = await key_of(fleet, "user:alice"), await key_of(fleet, "user:eve", "x", "globex")
    streams = await crowd([edge.url for edge in fleet.edges], [alice, other], 2)
    kill = await ordered(fleet, all="*")
    await all_end(streams)
    assert [await status(fleet, key, edge) for key in (alice, other) for edge in range(3)] == [403] * 6
    await lifted(fleet, kill, alice, other, edge=1)


async def test_an_order_and_a_revocation_survive_the_death_of_every_part(fleet: Fleet) -> None:
    (killed, _), (revoked, name) = await key_of(fleet, "user:carol"), await key_of(fleet, "user:dave")
    spared, _ = await key_of(fleet, "user:bob")
    kill = await ordered(fleet, user="carol")
    assert (await fleet.admin("DELETE", f"/keys/{name}")).status == 200
    first = [members[0] for members in fleet.members.values()]
    for dies in (partial(fleet.kill, *first), fleet.kill_valkey):
        witness = await opened(fleet.edges[1].url, "route", spared)
        await dies()
        for edge in range(len(fleet.edges)):
            await eventually(partial(works, fleet, spared, edge), "the others are served")
            assert await status(fleet, killed, edge) == 403
            assert await status(fleet, revoked, edge) == 401
        await go_on([witness])
        witness.close()
    await lifted(fleet, kill, killed)
