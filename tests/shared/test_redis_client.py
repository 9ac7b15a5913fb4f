"""The client against a real Valkey, and against servers that behave as badly as a network can make them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.redis_client import Redis, RedisError, Script
from shared.valkey import EmbeddedValkey
from tests.support.stack import free_ports
from tests.support.wait import eventually


async def info(redis: Redis, section: str, name: str) -> str:
    lines: list[str] = (await redis.execute("INFO", section)).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line).get(name, "")


@contextlib.asynccontextmanager
async def server(*answers: bytes) -> AsyncIterator[str]:
    """Listens, and says one of the answers to each connection's first words, then nothing more."""
    left = list(answers)
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        answer = left.pop(0) if len(left) > 1 else left[0]
        with contextlib.suppress(OSError):
            await reader.read(1)
            writer.write(answer)
            await reader.read()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        yield f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def refused(redis: Redis) -> bool:
    try:
        await redis.execute("PING")
    except Unavailable as error:
        return "no connection" in str(error.cause)
    return False


async def test_arguments_are_text_bytes_or_numbers(redis: Redis) -> None:
    await redis.execute("SET", "kéy", b"\x00\xff\r\n")
    assert await redis.execute("GET", "kéy".encode()) == b"\x00\xff\r\n"
    assert await redis.execute("INCRBY", "n", 41) == 41
    assert await redis.execute("GET", "absent") is None


async def test_each_of_many_tasks_gets_its_own_reply(redis: Redis) -> None:
    replies = await asyncio.gather(*(redis.execute("ECHO", n) for n in range(1000)))
    assert [int(reply) for reply in replies] == list(range(1000))


async def test_what_is_asked_in_one_turn_leaves_in_one_write(redis: Redis) -> None:
    before = int(await info(redis, "stats", "total_reads_processed"))
    await asyncio.gather(*(redis.execute("PING") for _ in range(300)))
    assert int(await info(redis, "stats", "total_reads_processed")) - before <= 3


async def test_an_error_of_the_server_concerns_one_command_only(redis: Redis) -> None:
    await redis.execute("SET", "text", "x")
    wrong = asyncio.create_task(redis.execute("INCR", "text"))
    right = asyncio.create_task(redis.execute("ECHO", "y"))
    with pytest.raises(RedisError, match="not an integer"):
        await wrong
    assert await right == b"y"


async def test_a_script_is_sent_once_and_then_called_by_its_hash(redis: Redis) -> None:
    script = Script("return {KEYS[1], ARGV[1]}")
    await redis.execute("SCRIPT", "FLUSH")
    await redis.execute("CONFIG", "RESETSTAT")
    for _ in range(3):
        assert await redis.run(script, ["k"], [7]) == [b"k", b"7"]
    assert (await info(redis, "commandstats", "cmdstat_eval")).startswith("calls=1,")
    assert await info(redis, "commandstats", "cmdstat_script|load") == ""


async def test_an_error_inside_a_script_is_raised(redis: Redis) -> None:
    with pytest.raises(RedisError, match="broken"):
        await redis.run(Script("return redis.error_reply('ERR broken')"), [], [])


async def test_a_posted_script_runs_after_what_was_sent_before_it(redis: Redis) -> None:
    script = Script("return redis.call('APPEND', KEYS[1], ARGV[1])")
    first = asyncio.create_task(redis.execute("APPEND", "k", "a"))
    await asyncio.sleep(0)
    redis.post(script, ["k"], ["b"])
    redis.post(Script("no lua"), ["k"], [])
    await first
    assert await redis.execute("GET", "k") == b"ab"


async def test_a_cancelled_command_leaves_the_others_their_replies(redis: Redis) -> None:
    task = asyncio.create_task(redis.execute("ECHO", "cancelled"))
    await asyncio.sleep(0)
    task.cancel()
    assert await redis.execute("ECHO", "mine") == b"mine"
    assert task.cancelled()


async def test_nobody_there_is_told_with_the_address_but_not_the_password() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1") as caught:
        await Redis.connect("redis://:secret@127.0.0.1:1/0")
    assert "secret" not in caught.value.detail


async def test_something_that_is_no_redis_is_told() -> None:
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        with pytest.raises(Unavailable):
            await Redis.connect(url)


async def test_a_server_that_is_loading_is_not_there_yet() -> None:
    async with server(b"-LOADING the dataset in memory\r\n") as url:
        with pytest.raises(Unavailable, match="LOADING"):
            await Redis.connect(url)


async def test_a_silent_server_is_given_up_and_the_next_connection_answers() -> None:
    async with server(b"+PONG\r\n", b"+PONG\r\n+OK\r\n") as url:
        redis = await Redis.connect(url)
        results = await asyncio.gather(
            redis.execute("GET", "a"), redis.execute("GET", "b"), return_exceptions=True
        )
        assert [type(result) for result in results] == [Unavailable, Unavailable]
        await eventually(lambda: redis.generation >= 2, "a new connection")
        await redis.close()


async def test_a_reply_that_nobody_asked_for_ends_the_connection() -> None:
    async with server(b"+PONG\r\n+stray\r\n", b"+PONG\r\n") as url:
        redis = await Redis.connect(url)
        await eventually(lambda: redis.generation >= 2, "a new connection")
        await redis.close()


async def test_a_server_that_always_hangs_up_is_not_stormed() -> None:
    async with server(b"+PONG\r\n+stray\r\n") as url:
        redis = await Redis.connect(url)
        await eventually(lambda: redis.generation >= 2, "the first attempt comes at once")
        await eventually(lambda: refused(redis), "the second attempt takes its time")
        await redis.close()


async def test_a_broken_connection_is_replaced_before_a_caller_notices(
    redis: Redis, valkey: EmbeddedValkey
) -> None:
    other = await Redis.connect(valkey.url)
    await other.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await eventually(lambda: redis.generation >= 2, "the connection is replaced")
    assert await redis.execute("PING") == b"PONG"
    await other.close()


async def test_callers_are_refused_at_once_while_the_server_is_gone(tmp_path: Any) -> None:
    own = EmbeddedValkey()
    await own.start(tmp_path)
    redis = await Redis.connect(own.url, timeout=2.0)
    await redis.execute("SET", "k", "v")
    await own.stop()
    for _ in range(100):
        with pytest.raises(Unavailable):
            await redis.execute("GET", "k")
    await own.start(tmp_path)

    async def back() -> bool:
        with contextlib.suppress(Unavailable):
            return bool(await redis.execute("GET", "k") == b"v")
        return False

    await eventually(back, "the client comes back")
    await redis.close()
    await own.stop()


async def test_a_closed_client_refuses(valkey: EmbeddedValkey) -> None:
    redis = await Redis.connect(valkey.url)
    await redis.close()
    with pytest.raises(Unavailable):
        await redis.execute("PING")


async def test_password_and_database_are_sent_over_tcp(tmp_path: Any) -> None:
    own, [port] = EmbeddedValkey(), free_ports(1)
    await own.start(tmp_path)
    local = await Redis.connect(own.url)
    await local.execute("CONFIG", "SET", "port", port)
    await local.execute("CONFIG", "SET", "requirepass", "s@cret")
    remote = await Redis.connect(f"redis://:s%40cret@127.0.0.1:{port}/2")
    await remote.execute("SET", "only", "here")
    assert await local.execute("DBSIZE") == 0
    with pytest.raises(Unavailable, match="WRONGPASS"):
        await Redis.connect(f"redis://:wrong@127.0.0.1:{port}/2")
    await remote.close()
    await local.execute("CONFIG", "SET", "requirepass", "")
    await local.close()
    await own.stop()


async def test_a_subscription_says_when_it_begins_and_then_what_is_published(redis: Redis) -> None:
    async with redis.subscribe("news") as messages:
        assert await anext(messages) == b""
        await redis.execute("PUBLISH", "news", b"\x00one")
        await redis.execute("PUBLISH", "other", "not this")
        await redis.execute("PUBLISH", "news", "two")
        assert [await anext(messages), await anext(messages)] == [b"\x00one", b"two"]


async def test_a_broken_subscription_comes_back_and_says_so(redis: Redis) -> None:
    async with redis.subscribe("news") as messages:
        await anext(messages)
        await redis.execute("CLIENT", "KILL", "TYPE", "pubsub")
        assert await anext(messages) == b""
        await redis.execute("PUBLISH", "news", "after")
        assert await anext(messages) == b"after"


async def test_leaving_a_subscription_closes_its_connection(redis: Redis) -> None:
    async with redis.subscribe("news") as messages:
        await anext(messages)

    async def gone() -> bool:
        return not (await redis.execute("CLIENT", "LIST", "TYPE", "pubsub"))

    await eventually(gone, "the connection is closed")
