"""The cache on a real edge: what is fresh is not asked for again, and what is somebody's is nobody else's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from shared.policy import Rule
from tests.api_gateway.fronted import Front, fronted
from tests.api_gateway.scripted import Script, allow
from tests.support.serve import serving
from tests.support.wait import eventually

EVERYBODY = Rule(id="all", sub="*", dom="acme", obj="route:*", act="*")
FRESH = ("cache-control", "max-age=600")


@contextlib.asynccontextmanager
async def kept(directory: Path, **rule: Any) -> AsyncIterator[tuple[Script, Front]]:
    script = Script()
    script.headers = [FRESH]
    async with (
        serving(script) as url,
        fronted(directory, {"urls": [url], "cache": rule, "idempotency": {}}) as front,
    ):
        yield script, front


async def test_what_is_fresh_is_answered_without_the_service(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        script.headers = [FRESH, ("content-type", "text/x"), ("age", "7")]
        first = await front.ask("/r0/a?b=1")
        script.body = b"another"
        second = await front.ask("/r0/a?b=1")
        assert (first.body, second.body) == (b"hello", b"hello")
        assert second.headers["content-type"] == "text/x"
        assert 7 <= int(second.headers["age"]) < 60
        assert len(script.asked) == 1
        await front.ask("/r0/a?b=2")
        await front.ask("/r0/a")
        assert len(script.asked) == 3
        entries = [row.cache for row in await front.edge.rows(4)]
        assert entries == ["miss", "hit", "miss", "miss"]


async def test_one_principals_answer_is_never_anothers(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        await allow(front, EVERYBODY)
        script.headers = [("cache-control", "public, max-age=600, s-maxage=600")]
        await front.ask("/r0/me")
        script.body = b"bob's"
        assert (await front.ask("/r0/me", key=await front.new_key("user:bob"))).body == b"bob's"
        assert (await front.ask("/r0/me")).body == b"hello"


async def test_what_is_shared_must_be_configured_and_said(tmp_path: Path) -> None:
    async with kept(tmp_path, shared=True) as (script, front):
        await allow(front, EVERYBODY)
        bob = await front.new_key("user:bob")
        for path, said, vary, asked in (
            ("/r0/1", "public, max-age=600", "accept", 1),
            ("/r0/2", "s-maxage=600", "accept", 1),
            ("/r0/3", "max-age=600", "accept", 2),
            ("/r0/4", "private, s-maxage=600", "accept", 2),
            ("/r0/5", "public, max-age=600, s-maxage=0", "accept", 2),
            ("/r0/6", "public, max-age=600", "authorization", 2),
            ("/r0/7", "public, max-age=600", "txn-token", 2),
        ):
            script.headers = [("cache-control", said), ("vary", vary)]
            script.asked.clear()
            await front.ask(path)
            await front.ask(path, key=bob)
            assert len(script.asked) == asked, said


async def test_policy_is_asked_before_what_is_kept(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        await front.ask("/r0/a")
        await allow(front)
        assert (await front.ask("/r0/a")).status == 403
        assert len(script.asked) == 1


async def test_a_request_says_how_old_its_answer_may_be(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        script.headers = [FRESH, ("age", "50")]
        for said, asked in (
            ("max-age=100", 1),
            ("max-age=10", 2),
            ("max-age=x", 2),
            ("max-age", 2),
            ("no-cache", 3),
        ):
            await front.ask("/r0/a", cache_control=said)
            assert len(script.asked) == asked, said


async def test_what_must_not_be_kept_is_not(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        for number, headers in enumerate(
            (
                [("cache-control", "no-store, max-age=600")],
                [],
                [("cache-control", "max-age=0")],
                [("cache-control", "max-age=x")],
                [FRESH, ("age", "600")],
                [FRESH, ("vary", "*")],
                [FRESH, ("set-cookie", "a=b")],
            )
        ):
            script.headers = headers
            script.asked.clear()
            for _ in range(2):
                await front.ask(f"/r0/{number}")
            assert len(script.asked) == 2, headers
        script.headers, script.status = [FRESH], 500
        script.asked.clear()
        for path, asks in (
            ("/r0/e", {}),
            ("/r0/p", {"range": "bytes=0-1"}),
            ("/r0/n", {"cache_control": "no-store"}),
        ):
            for _ in range(2):
                await front.ask(path, **asks)
            script.status = 200
        assert len(script.asked) == 6


async def test_answers_are_told_apart_by_what_they_vary_by(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        script.headers = [FRESH, ("vary", "Accept-Language, x-a")]
        for language in ("de", "en", "de", "en"):
            script.body = language.encode()
            assert (await front.ask("/r0/a", accept_language=language)).body == language.encode()
        assert len(script.asked) == 2
        await front.ask("/r0/a", accept_language="de", x_a="1")
        assert len(script.asked) == 3


async def test_what_is_stale_is_asked_about_by_its_tag(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        script.headers = [("cache-control", "no-cache"), ("etag", '"v1"'), ("x-old", "1")]
        await front.ask("/r0/a")
        script.status, script.headers = 304, [FRESH, ("etag", '"v1"'), ("x-new", "1")]
        second = await front.ask("/r0/a")
        assert script.asked[1].all("if-none-match") == ['"v1"']
        assert (second.status, second.body) == (200, b"hello")
        assert (second.headers["x-old"], second.headers["x-new"]) == ("1", "1")
        assert second.headers["content-length"] == "5"
        await front.ask("/r0/a")
        assert len(script.asked) == 2, "the 304 has made it fresh"
        assert [row.cache for row in await front.edge.rows(3)] == ["miss", "revalidated", "hit"]
        script.status, script.headers, script.body = 200, [FRESH, ("etag", '"v2"')], b"new"
        assert (await front.ask("/r0/a", cache_control="no-cache")).body == b"new"
        assert (await front.ask("/r0/a")).body == b"new"
        assert len(script.asked) == 3


async def test_a_client_that_has_it_already_is_told_so(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        script.headers = [FRESH, ("etag", '"v1"')]
        await front.ask("/r0/a")
        known = await front.ask("/r0/a", if_none_match='"v0", W/"v1"')
        assert (known.status, known.body, known.headers["etag"]) == (304, b"", '"v1"')
        assert (await front.ask("/r0/a", if_none_match='"v0"')).status == 200
        assert len(script.asked) == 1
        script.status = 304
        other = await front.ask("/r0/a", if_none_match='"v1"', cache_control="max-age=0")
        assert (other.status, len(script.asked)) == (304, 2)


async def test_a_change_makes_forget_what_anybody_was_told(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        await allow(front, EVERYBODY)
        bob = await front.new_key("user:bob")
        await front.ask("/r0/a")
        await front.ask("/r0/a", key=bob)
        script.status = 400
        await front.ask("/r0/a", method="PUT", body=b"x")
        script.status = 200
        await front.ask("/r0/a")
        assert len(script.asked) == 3, "what failed has changed nothing"
        await front.ask("/r0/a", method="POST", body=b"x", idempotency_key="k")
        await front.ask("/r0/a")
        await front.ask("/r0/a", key=bob)
        assert len(script.asked) == 6


async def test_what_was_asked_before_a_change_is_not_kept_after_it(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        script.held = held = asyncio.Event()
        before = asyncio.create_task(front.ask("/r0/a"))
        await eventually(lambda: script.asked, "it is at the service")
        script.held, script.body = None, b"changed"
        await front.ask("/r0/a", method="PUT", body=b"x")
        held.set()
        assert (await before).body == b"hello"
        assert (await front.ask("/r0/a")).body == b"changed"


async def test_memory_has_a_bound_and_large_answers_are_only_passed_on(tmp_path: Path) -> None:
    async with kept(tmp_path, max_bytes=20_000, max_answer_bytes=5_000) as (script, front):
        cache = front.edge.app.state.upstreams.caches[0]
        script.body = b"x" * 4_000
        for number in range(20):
            await front.ask(f"/r0/{number}")
            assert cache.bytes <= 20_000
        script.asked.clear()
        await front.ask("/r0/19")
        assert not script.asked
        await front.ask("/r0/0")
        assert len(script.asked) == 1, "the one asked for longest ago went first"
        script.body = b""
        for number in range(40):
            await front.ask(f"/r0/{number}?{'q' * 2_000}")
            assert cache.bytes <= 20_000
        script.asked.clear()
        await front.ask(f"/r0/0?{'q' * 2_000}")
        assert len(script.asked) == 1, "long questions take room, too"
        script.body = b"x" * 5_001
        for _ in range(2):
            assert (await front.ask("/r0/large")).body == script.body
        assert len(script.asked) == 3


async def test_an_answer_that_was_cut_is_not_kept(tmp_path: Path) -> None:
    async with kept(tmp_path) as (script, front):
        script.cut = True
        with contextlib.suppress(Exception):
            await front.ask("/r0/a")
        script.cut = False
        assert (await front.ask("/r0/a")).body == b"hello"
        assert len(script.asked) == 2
