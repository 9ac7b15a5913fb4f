"""Idempotency keys on a real edge: carried out once, answered as often as asked, and only to its caller."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from api_gateway.control import Control
from shared.policy import Rule
from tests.api_gateway.fronted import Front, fronted
from tests.api_gateway.scripted import Script, allow
from tests.support.serve import serving
from tests.support.wait import eventually

KEY = {"idempotency_key": '"k1"'}


@contextlib.asynccontextmanager
async def keyed(directory: Path, **rule: Any) -> AsyncIterator[tuple[Script, Front]]:
    script = Script()
    async with serving(script) as url:
        routes = ({"urls": [url], "idempotency": rule}, {"urls": [url], "idempotency": {}})
        async with fronted(directory, *routes) as front:
            yield script, front


async def test_the_second_gets_the_firsts_answer_and_the_service_is_asked_once(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        script.status, script.headers, script.body = 201, [("x-order", "7"), ("etag", '"a"')], b"made"
        first = await front.ask("/r0/orders", method="POST", body=b"{}", **KEY)
        script.status, script.body = 500, b"another"
        again = await front.ask("/r0/orders", method="POST", body=b"{}", **KEY)
        assert (first.status, first.body) == (again.status, again.body) == (201, b"made")
        assert again.headers["x-order"] == "7"
        assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first.headers
        assert again.headers["x-gatestack-call"] != first.headers["x-gatestack-call"]
        assert len(script.asked) == 1


async def test_without_a_key_every_request_is_one_of_its_own(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        for _ in range(2):
            await front.ask("/r0/orders", method="POST", body=b"{}")
        assert len(script.asked) == 2


async def test_an_answer_outlives_the_edge_that_gave_it(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (_, front):
        first = await front.ask("/r0/orders", method="POST", body=b"x", **KEY)
    async with keyed(tmp_path) as (script, front):
        again = await front.ask("/r0/orders", method="POST", body=b"x", **KEY)
        assert (first.body, again.headers["idempotent-replayed"]) == (again.body, "true")
        assert not script.asked


async def test_another_request_with_the_same_key_is_refused(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        await front.ask("/r0/orders", method="POST", body=b"a", content_type="a/b", **KEY)
        for path, body, kind in (
            ("/r0/orders", b"b", "a/b"),
            ("/r0/others", b"a", "a/b"),
            ("/r0/orders?x=1", b"a", "a/b"),
            ("/r0/orders", b"a", "c/d"),
        ):
            other = await front.ask(path, method="POST", body=body, content_type=kind, **KEY)
            assert (other.status, "idempotent-replayed" in other.headers) == (422, False)
            assert b"new key" in other.body
        assert len(script.asked) == 1


async def test_who_comes_while_the_first_is_open_is_told_to_wait(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        script.held = asyncio.Event()
        first = asyncio.create_task(front.ask("/r0/orders", method="POST", body=b"a", **KEY))
        await eventually(lambda: script.asked, "the first is there")
        second = await front.ask("/r0/orders", method="POST", body=b"a", **KEY)
        assert (second.status, second.headers["retry-after"]) == (409, "1")
        assert "idempotent-replayed" not in second.headers
        script.held.set()
        assert (await first).status == 200
        assert len(script.asked) == 1


async def test_a_key_is_its_callers_and_its_routes_own(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        await allow(front, Rule(id="all", sub="*", dom="acme", obj="route:*", act="*"))
        bob = await front.new_key("user:bob")
        for path, key in (("/r0/x", None), ("/r0/x", bob), ("/r1/x", None)):
            answer = await front.ask(path, method="POST", body=b"a", key=key, **KEY)
            assert "idempotent-replayed" not in answer.headers
        assert len(script.asked) == 3


async def test_policy_holds_for_what_was_answered_before(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        await front.ask("/r0/orders", method="POST", body=b"a", **KEY)
        await allow(front)
        assert (await front.ask("/r0/orders", method="POST", body=b"a", **KEY)).status == 403
        assert len(script.asked) == 1


async def test_a_kill_cuts_what_is_open_and_refuses_what_was_answered_before(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        await front.ask("/r0/orders", method="POST", body=b"a", **KEY)
        script.held = asyncio.Event()
        second = asyncio.create_task(front.ask("/r0/orders", method="POST", body=b"b", idempotency_key="k2"))
        await eventually(lambda: len(script.asked) == 2, "the second is at the service")
        control: Control = front.edge.app.state.control
        kill = await control.add_kill({"user": "alice"}, "a test", "user:operator")
        assert (await second).status == 403
        assert (await front.ask("/r0/orders", method="POST", body=b"a", **KEY)).status == 403
        script.held.set()
        await control.lift_kill(kill.id, "user:operator")

        async def lifted() -> bool:
            return (await front.ask("/r0/orders", method="POST", body=b"a", **KEY)).status == 200

        await eventually(lifted, "the kill is lifted")
        lost = await front.ask("/r0/orders", method="POST", body=b"b", idempotency_key="k2")
        assert (lost.status, len(script.asked)) == (409, 2)


async def test_a_client_that_leaves_finds_the_answer_when_it_asks_again(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        script.held = asyncio.Event()
        leaving = asyncio.create_task(front.ask("/r0/orders", method="POST", body=b"a", **KEY))
        await eventually(lambda: script.asked, "it is there")
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving
        await asyncio.sleep(0.05)  # longer than the edge waits before it looks whether the client is there
        script.held.set()

        async def answered() -> bool:
            again = await front.ask("/r0/orders", method="POST", body=b"a", **KEY)
            return again.status == 200 and again.headers["idempotent-replayed"] == "true"

        await eventually(answered, "the answer is there")
        assert len(script.asked) == 1


async def test_what_was_never_sent_may_be_sent_again(tmp_path: Path) -> None:
    async with fronted(tmp_path, {"urls": ["http://127.0.0.1:1"], "idempotency": {}}) as front:
        for _ in range(2):
            assert (await front.ask("/r0/x", method="POST", body=b"a", **KEY)).status == 502


async def test_an_answer_that_was_lost_is_not_made_up_for_by_doing_it_again(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        script.cut = True
        with contextlib.suppress(Exception):
            await front.ask("/r0/orders", method="POST", body=b"a", **KEY)
        script.cut = False
        again = await front.ask("/r0/orders", method="POST", body=b"a", **KEY)
        assert (again.status, b"was lost" in again.body) == (409, True)
        assert len(script.asked) == 1


async def test_what_the_service_has_put_off_may_be_asked_again(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        for status in (429, 503, 200):
            script.status = status
            assert (await front.ask("/r0/orders", method="POST", body=b"a", **KEY)).status == status


async def test_an_answer_too_large_to_keep_is_given_once_and_never_repeated(tmp_path: Path) -> None:
    async with keyed(tmp_path, max_answer_bytes=10) as (script, front):
        script.body = b"x" * 11
        assert (await front.ask("/r0/orders", method="POST", body=b"a", **KEY)).body == script.body
        again = await front.ask("/r0/orders", method="POST", body=b"a", **KEY)
        assert (again.status, b"status 200" in again.body) == (409, True)
        assert len(script.asked) == 1


async def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        for key in ("", '"', '"a', "a b", "x" * 256):
            answer = await front.ask("/r0/orders", method="POST", body=b"a", idempotency_key=key)
            assert answer.status == 400
        assert not script.asked


async def test_a_route_may_ask_for_keys_and_for_short_bodies(tmp_path: Path) -> None:
    async with keyed(tmp_path, required=True, max_body_bytes=4) as (script, front):
        bare = await front.ask("/r0/orders", method="POST", body=b"a")
        assert (bare.status, b"idempotency-key" in bare.body) == (400, True)
        assert (await front.ask("/r0/orders", method="POST", body=b"12345", **KEY)).status == 413
        assert (await front.ask("/r0/orders")).status == 200
        assert len(script.asked) == 1


async def test_a_body_that_is_read_for_its_key_still_arrives_whole(tmp_path: Path) -> None:
    async with keyed(tmp_path) as (script, front):
        body = bytes(range(256)) * 1024
        assert (await front.ask("/r0/orders", method="POST", body=body, **KEY)).status == 200
        assert script.asked[0].body == body


async def test_a_tenants_answers_have_so_much_room_and_the_oldest_is_not_made_again(tmp_path: Path) -> None:
    async with keyed(tmp_path, max_answer_bytes=1000, tenant_bytes=2000) as (script, front):
        script.body = b"x" * 1000
        for key in ("k1", "k2"):
            assert (await front.ask("/r0/x", method="POST", body=b"a", idempotency_key=key)).status == 200
        first = await front.ask("/r0/x", method="POST", body=b"a", idempotency_key="k1")
        assert (first.status, b"status 200" in first.body, b"no longer kept" in first.body) == (
            409,
            True,
            True,
        )
        second = await front.ask("/r0/x", method="POST", body=b"a", idempotency_key="k2")
        assert (second.status, second.body) == (200, script.body)
        assert len(script.asked) == 2


async def test_a_key_for_which_there_is_no_room_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    async with keyed(tmp_path, tenant_keys=1) as (script, front):
        assert (await front.ask("/r0/x", method="POST", body=b"a", **KEY)).status == 200
        more = await front.ask("/r0/x", method="POST", body=b"a", idempotency_key="k2")
        assert (more.status, b"1 keys" in more.body) == (429, True)
        assert 86_000 < int(more.headers["retry-after"]) <= 86_400
        assert (await front.ask("/r0/x", method="POST", body=b"a", **KEY)).status == 200
        assert (await front.ask("/r0/x", method="POST", body=b"a")).status == 200
        assert len(script.asked) == 2
        [entry] = [entry for entry in await front.closed(4) if entry.outcome == "refused"]
        assert entry.status == 429
