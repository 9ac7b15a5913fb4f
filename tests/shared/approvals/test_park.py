"""A call waits for a person, goes on once with exactly what was approved, and is refused otherwise."""

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from shared.account import Flight
from shared.approvals import Approval
from shared.errors import ClientGone, Killed, LimitExceeded
from shared.identity.principal import Caller
from shared.policy import Policy
from shared.redis_client import Redis
from tests.shared.approvals.asking import KEYS, RULES, Asking, asking
from tests.support.serve import someone


async def approved(desk: Asking, by: str = "user:bob") -> str:
    [id] = await desk.pending()
    assert await desk.book.decide(id, "approved", by, "fine") == "decided"
    return id


async def test_a_call_goes_on_once_it_is_approved_and_its_entry_says_by_whom(desk: Asking) -> None:
    call = desk.call()
    id = await approved(desk)
    entry = await call.ended()
    assert (entry["outcome"], entry["findings"]) == ("completed", (f"approval:{id} approved by user:bob",))
    assert await desk.state(id) == "used"


async def test_whoever_decides_sees_what_is_asked(desk: Asking) -> None:
    call = desk.call(someone("user:alice", "agent:planner", key="k1", chain="c9"))
    await approved(desk)
    await call.ended()
    [seen] = desk.announced
    assert isinstance(seen, Approval)
    assert (seen.principal, seen.actors, seen.chain) == ("user:alice", ("user:alice", "agent:planner"), "c9")
    assert (seen.resource, seen.action, seen.rule, seen.epoch) == ("tool:pay/send", "invoke", "money", 7)
    assert (seen.tenant, seen.service, seen.preview) == ("acme", "mcp_gateway", '{"to":"bob","amount":100}')


async def test_a_denied_call_is_refused_with_the_reason_and_so_is_its_repetition(desk: Asking) -> None:
    call = desk.call()
    [id] = await desk.pending()
    await desk.book.decide(id, "denied", "user:bob", "too much")
    assert "too much" in (await call.refused())["message"]
    again = desk.call(replica=1)
    assert "too much" in (await again.refused())["message"]
    assert [one.id for one in desk.announced] == [id]


async def test_nobody_in_time_is_a_no_that_names_the_approval_and_later_word_lets_the_repetition_through(
    redis: Redis,
) -> None:
    async with asking(redis, wait_seconds=0) as desk:
        first = desk.call()
        error = await first.refused()
        [id] = await desk.pending()
        assert f"gatestack approvals approve {id}" in error["message"]
        assert (await first.ended())["findings"] == (f"approval:{id} pending",)
        await desk.book.decide(id, "approved", "user:bob", "")
        # Another replica, and what begins another chain.
        assert (await desk.call(replica=1).ended())["outcome"] == "completed"
        # Used once: the next one asks anew.
        await desk.call().refused()
        assert len(desk.announced) == 2


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"arguments": b'{"to": "eve", "amount": 100}'}, id="arguments"),
        pytest.param({"arguments": b'{"to": "bob", "amount": 100.0}'}, id="another spelling of a number"),
        pytest.param({"arguments": b'{"to": "eve", "to": "bob", "amount": 100}'}, id="a member twice"),
        pytest.param({"resource": "tool:pay/refund"}, id="target"),
        pytest.param({"caller": someone("user:mallory", key="k1")}, id="principal"),
        pytest.param({"caller": someone(key="k2")}, id="key"),
        pytest.param({"caller": someone(key="k1", tenant="globex")}, id="tenant"),
        pytest.param({"caller": someone("user:alice", "agent:planner", key="k1")}, id="actors"),
    ],
)
async def test_an_approval_is_of_no_use_to_any_other_call(redis: Redis, other: dict[str, Any]) -> None:
    async with asking(redis, wait_seconds=0) as desk:
        await desk.call().refused()
        await approved(desk)
        await desk.call(**other).refused()
        assert len(desk.announced) == 2
        same = b'{ "amount": 100, "to": "bob" }'
        assert (await desk.call(arguments=same).ended())["outcome"] == "completed"


async def test_an_approval_for_one_delegated_chain_is_of_no_use_to_another(redis: Redis) -> None:
    def planner(chain: str) -> Caller:
        return someone("user:alice", "agent:planner", key="k1", chain=chain)

    async with asking(redis, wait_seconds=0) as desk:
        await desk.call(planner("c1")).refused()
        await approved(desk)
        await desk.call(planner("c2")).refused()
        assert (await desk.call(planner("c1")).ended())["outcome"] == "completed"


async def test_two_identical_calls_ask_once_and_one_of_them_goes_on(desk: Asking) -> None:
    calls = [desk.call(), desk.call(replica=1)]
    [id] = await desk.pending()
    await desk.waited_for(id, 2)
    await approved(desk)
    entries = [await call.ended() for call in calls]
    assert sorted(entry["outcome"] for entry in entries) == ["completed", "refused"]
    assert len(desk.announced) == 1


async def test_a_change_of_policy_voids_what_waits_and_what_was_approved(redis: Redis) -> None:
    async with asking(redis, wait_seconds=20) as desk:
        waiting = desk.call()
        [id] = await desk.pending()
        desk.box.replace(Policy.compile(RULES, 8))
        assert "policy has changed" in (await waiting.refused())["message"]
        assert await desk.state(id) == "withdrawn"
        # What the old policy asked is no answer to what the new one asks.
        call = desk.call()
        [anew] = await desk.pending()
        assert anew != id
        await desk.book.decide(anew, "approved", "user:bob", "")
        await call.ended()


@pytest.mark.parametrize(
    ("cut", "outcome"), [(Killed("stopped"), "killed"), (ClientGone(), "client_gone")], ids=["kill", "gone"]
)
async def test_a_call_that_is_cut_takes_back_what_it_asked(
    desk: Asking, cut: Exception, outcome: str
) -> None:
    call = desk.call()
    [id] = await desk.pending()
    call.cut(cut)
    assert (await call.ended())["outcome"] == outcome
    assert await desk.state(id) == "withdrawn"
    assert await desk.book.decide(id, "approved", "user:bob", "") == "withdrawn"


async def test_a_call_that_is_cut_leaves_what_another_one_waits_for_too(desk: Asking) -> None:
    gone = desk.call()
    [id] = await desk.pending()
    other = desk.call(replica=1)
    await desk.waited_for(id, 2)
    gone.cut(ClientGone())
    await gone.ended()
    assert await desk.state(id) == "pending"
    await approved(desk)
    assert (await other.ended())["outcome"] == "completed"


async def test_a_process_that_stops_takes_nothing_back(desk: Asking) -> None:
    call = desk.call()
    [id] = await desk.pending()
    call.stop()
    with pytest.raises(asyncio.CancelledError):
        await call.ended()
    await approved(desk)
    assert (await desk.call(replica=1).ended())["findings"] == (f"approval:{id} approved by user:bob",)


async def test_of_one_principal_only_so_many_calls_are_open(redis: Redis) -> None:
    async with asking(redis, wait_seconds=0, most_pending=3) as desk:
        for amount in range(3):
            await desk.call(arguments=b'{"amount": %d}' % amount).refused()
        error = await desk.call(arguments=b'{"amount": 3}').refused()
        assert "3 calls of user:alice wait for approval already" in error["message"]
        # Through any agent it is the same principal, and a call that waits already may be repeated.
        through = someone("user:alice", "agent:planner", key="k1")
        assert "already" in (await desk.call(through).refused())["message"]
        assert "already" not in (await desk.call(arguments=b'{"amount": 0}').refused())["message"]
        assert "already" not in (await desk.call(someone("user:carol")).refused())["message"]
        assert len(desk.announced) == 4


class Stopped:
    """Calls that have their approval and come no further."""

    def __init__(self) -> None:
        self.there = asyncio.Event()

    async def __call__(self, flight: Flight) -> None:
        self.there.set()
        await asyncio.Event().wait()


async def refused(flight: Flight) -> None:
    raise LimitExceeded("no more money", retry_after=1)


async def test_a_decision_is_given_back_where_something_else_then_refuses_the_call(desk: Asking) -> None:
    call = desk.call(then=refused)
    id = await approved(desk)
    assert (await call.ended())["reason"] == LimitExceeded.reason
    assert await desk.state(id) == "approved"
    assert (await desk.call().ended())["findings"] == (f"approval:{id} approved by user:bob",)
    assert len(desk.announced) == 1


@pytest.mark.parametrize("cut", [Killed("stopped"), ClientGone(), None], ids=["kill", "gone", "stop"])
@pytest.mark.parametrize("repeated", [False, True], ids=["after waiting", "at once"])
async def test_a_decision_is_given_back_where_its_call_is_ended_before_it_is_sent(
    redis: Redis, cut: Exception | None, *, repeated: bool
) -> None:
    async with asking(redis, wait_seconds=0 if repeated else 20) as desk:
        if repeated:
            await desk.call().refused()
            id = await approved(desk)
        stopped = Stopped()
        call = desk.call(then=stopped)
        if not repeated:
            id = await approved(desk)
        await stopped.there.wait()
        assert await desk.state(id) == "used"
        ends = await desk.redis.execute("HGET", f"gs:{{approvals}}:one:{id}", "ends")
        call.stop() if cut is None else call.cut(cut)
        with contextlib.suppress(asyncio.CancelledError):
            await call.ended()
        assert await desk.state(id) == "approved"
        assert await desk.redis.execute("HGET", f"gs:{{approvals}}:one:{id}", "ends") == ends
        assert (await desk.call(replica=1).ended())["findings"] == (f"approval:{id} approved by user:bob",)
        assert await desk.state(id) == "used"


async def test_a_decision_stays_used_where_its_call_is_ended_after_it_was_sent(desk: Asking) -> None:
    stopped = Stopped()

    async def sent(flight: Flight) -> None:
        flight.sends()
        await stopped(flight)

    call = desk.call(then=sent)
    id = await approved(desk)
    await stopped.there.wait()
    call.cut(ClientGone())
    await call.ended()
    assert await desk.state(id) == "used"


async def test_only_the_call_that_has_used_a_decision_gives_it_back(redis: Redis) -> None:
    async with asking(redis, wait_seconds=0) as desk:
        await desk.call().refused()
        id = await approved(desk)
        first, second = Stopped(), Stopped()
        gone = desk.call(then=first)
        await first.there.wait()
        gone.cut(ClientGone())
        await gone.ended()
        used = desk.call(replica=1, then=second)
        await second.there.wait()
        # What is said twice, or late, by the one that has given it back already.
        await desk.book.give_back(id, gone.frame.entry["id"])
        assert await desk.state(id) == "used"
        used.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await used.ended()


async def test_a_decision_is_not_given_back_where_the_same_call_has_been_asked_about_anew(
    redis: Redis,
) -> None:
    async with asking(redis, wait_seconds=0) as desk:
        await desk.call().refused()
        id = await approved(desk)
        stopped = Stopped()
        call = desk.call(then=stopped)
        await stopped.there.wait()
        await desk.call(replica=1).refused()
        call.cut(ClientGone())
        await call.ended()
        assert await desk.state(id) == "used"


async def test_word_that_was_missed_is_found_all_the_same(redis: Redis) -> None:
    async with asking(redis, deaf=True) as desk:
        call = desk.call()
        await approved(desk)
        assert (await call.ended())["outcome"] == "completed"


async def test_an_approval_is_of_no_use_to_a_key_that_was_revoked_meanwhile(desk: Asking) -> None:
    call = desk.call()
    [id] = await desk.pending()
    desk.keyring.replace([msgspec.structs.replace(KEYS[0], revoked_at=1)])
    await desk.book.decide(id, "approved", "user:bob", "")
    assert (await call.ended())["reason"] == "unauthenticated"
