"""Whose task it is: who caused it, and whoever stands before that on its path. To others it does not
exist.
"""

import pytest

from agent_gateway.call import Names
from agent_gateway.seen import Seen
from agent_gateway.tasks import Tasks
from shared.errors import NotFound, UpstreamBroken
from shared.identity.principal import Caller
from shared.redis_client import Redis
from tests.support.serve import someone

ALICE = someone("user:alice")
PLANNER = someone("user:alice", "agent:planner")
DEEPER = someone("user:alice", "agent:planner", "agent:researcher")


async def _may(tasks: Tasks, caller: Caller, agent: str = "writer", **names: object) -> bool:
    try:
        await tasks.check(agent, caller, Names(**names))  # type: ignore[arg-type]
    except NotFound as error:
        return (error.code, error.detail) != (-32001, "there is no such task")
    return True


@pytest.fixture
async def tasks(redis: Redis) -> Tasks:
    """The tasks of two agents: `t` in the context `c`, which planner started for alice at writer."""
    tasks = Tasks(redis, 60)
    await tasks.learn("writer", PLANNER, Seen(task="t", context="c"))
    return tasks


async def test_who_caused_a_task_may_use_it_in_any_later_chain(tasks: Tasks) -> None:
    assert await _may(tasks, PLANNER, task="t")
    assert await _may(tasks, someone("user:alice", "agent:planner", chain="another"), task="t", context="c")


async def test_whoever_it_was_done_for_may_use_it(tasks: Tasks) -> None:
    assert await _may(tasks, ALICE, task="t", context="c")


@pytest.mark.parametrize(
    "caller",
    [
        someone("user:bob"),
        someone("user:bob", "agent:planner"),
        someone("agent:planner"),
        someone("user:alice", tenant="other"),
        someone("user:alice", "agent:planner", tenant="other"),
        someone("user:alice", "agent:reviewer"),
        DEEPER,
    ],
    ids=lambda caller: f"{' '.join(caller.actors)} of {caller.principal.tenant}",
)
async def test_to_anybody_else_it_does_not_exist(tasks: Tasks, caller: Caller) -> None:
    assert not await _may(tasks, caller, task="t")
    assert not await _may(tasks, caller, context="c")
    assert not await _may(tasks, caller, references=("t",))


async def test_an_agent_in_between_does_not_see_what_its_user_did_elsewhere(tasks: Tasks) -> None:
    await tasks.learn("writer", ALICE, Seen(task="private", context="private"))
    assert not await _may(tasks, PLANNER, task="private")
    assert not await _may(tasks, PLANNER, context="private")


async def test_an_unknown_id_and_one_of_another_agent_are_refused_alike(tasks: Tasks) -> None:
    assert not await _may(tasks, PLANNER, task="nothing")
    assert not await _may(tasks, PLANNER, agent="reader", task="t")
    assert not await _may(tasks, PLANNER, task="t", references=("t", "nothing"))
    assert not await _may(tasks, PLANNER, task="t", context="unknown")


async def test_a_task_and_a_context_must_belong_together(tasks: Tasks) -> None:
    await tasks.learn("writer", PLANNER, Seen(task="t2", context="c2"))
    assert await _may(tasks, PLANNER, task="t2", context="c2", references=("t",))
    assert not await _may(tasks, PLANNER, task="t2", context="c")


async def test_an_agent_cannot_give_one_principals_task_to_another(tasks: Tasks) -> None:
    for seen in (Seen(task="t"), Seen(task="new", context="c")):
        with pytest.raises(UpstreamBroken):
            await tasks.learn("writer", someone("user:bob"), seen)
    with pytest.raises(UpstreamBroken):
        await tasks.learn("writer", DEEPER, Seen(task="t"))
    await tasks.learn("writer", ALICE, Seen(task="t", context="c"))
    assert await _may(tasks, PLANNER, task="t")


async def test_ids_are_forgotten_after_their_time_and_kept_while_they_are_used(
    redis: Redis, tasks: Tasks
) -> None:
    [key] = [key async for key in _keys(redis) if b":task:" in key]
    assert 0 < await redis.execute("TTL", key) <= 60
    await redis.execute("EXPIRE", key, 5)
    assert await _may(tasks, PLANNER, task="t")
    assert await redis.execute("TTL", key) > 5
    await redis.execute("DEL", key)
    assert not await _may(tasks, PLANNER, task="t")


async def test_an_endless_id_is_not_kept(redis: Redis, tasks: Tasks) -> None:
    before = {key async for key in _keys(redis)}
    await tasks.learn("writer", PLANNER, Seen(task="x" * 5000))
    assert {key async for key in _keys(redis)} == before


async def test_the_tasks_of_a_caller_are_listed_to_whoever_may_use_them(tasks: Tasks) -> None:
    await tasks.learn("writer", ALICE, Seen(task="hers", context="c2"))
    assert {task for task, _ in await tasks.listed("writer", ALICE)} == {"t", "hers"}
    assert await tasks.listed("writer", PLANNER) == [("t", "c")]
    for stranger in (someone("user:bob"), someone(tenant="other"), DEEPER):
        assert await tasks.listed("writer", stranger) == []
    assert await tasks.listed("reader", ALICE) == []


async def _keys(redis: Redis):  # type: ignore[no-untyped-def]
    for key in await redis.execute("KEYS", "gs:*"):
        yield key
