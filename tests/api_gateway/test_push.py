"""Notifications of agents outside pass the edge without a caller, as far as that can do no harm."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api_gateway.app import SERVICE
from api_gateway.push import Floods
from shared.asgi import Send
from shared.client_address import source
from shared.errors import LimitExceeded
from shared.http_client import HttpClient
from tests.support.agents import Heard, RunningAgent, reply, scripted
from tests.support.clock import FakeClock
from tests.support.serve import Running, running
from tests.support.wait import eventually

HOOK = "/agents/writer/push/h00k"


class Outside(Running, frozen=True):
    http: HttpClient
    inner: RunningAgent

    async def send(self, method: str = "POST", path: str = HOOK, body: bytes = b"{}", **headers: Any) -> int:
        sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
        async with await self.http.send(method, self.url + path, headers=sent, body=body) as answer:
            await answer.read(1_000_000)
            return answer.status


@contextlib.asynccontextmanager
async def outside(directory: Path, **push: Any) -> AsyncIterator[Outside]:
    async def taken(heard: Heard, send: Send) -> None:
        await reply(send, b"{}", status=202)

    http = HttpClient()
    try:
        async with scripted(taken) as inner:
            section = {"gateways": {"agent_gateway": [inner.url.rstrip("/")]}, "push": push}
            async with running(SERVICE, {"api_gateway": section}, directory) as edge:
                await eventually(lambda: "kills" in edge.parts.snapshots.epochs(), "the kill list")
                yield Outside(edge.url, edge.app, edge.parts, http, inner)
    finally:
        await http.close()


async def test_a_notification_goes_on_with_its_token_and_nothing_else(tmp_path: Path) -> None:
    async with outside(tmp_path) as edge:
        assert await edge.send(authorization="Bearer t0ken", txn_token="x", cookie="a=b") == 202
        assert await edge.send(x_a2a_notification_token="t0ken") == 202
        for heard in edge.inner.heard:
            assert heard.path == HOOK
            assert heard.headers["x-a2a-notification-token"] == "t0ken"
            assert not {"authorization", "txn-token", "cookie"} & set(heard.headers)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", HOOK, {}, 401),
        ("GET", HOOK, {"x_a2a_notification_token": "t"}, 405),
        ("POST", "/agents/writer/push/h%3fx", {"x_a2a_notification_token": "t"}, 404),
        ("POST", "/agents/writer/push/a/b", {}, 401),
        ("POST", "/agents/writer", {"x_a2a_notification_token": "t"}, 401),
    ],
)
async def test_nothing_else_gets_in_this_way(
    tmp_path: Path, method: str, path: str, headers: dict[str, Any], status: int
) -> None:
    async with outside(tmp_path) as edge:
        assert await edge.send(method, path, **headers) == status
        assert edge.inner.heard == []


async def test_a_path_that_leads_elsewhere_when_resolved_goes_nowhere(tmp_path: Path) -> None:
    async with outside(tmp_path) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(edge.url).port)
        try:
            head = "POST /agents/../push/x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer t\r\n"
            writer.write(f"{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())
            assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 400")
        finally:
            writer.close()
        assert edge.inner.heard == []


def test_who_has_one_address_of_a_network_has_all_of_them() -> None:
    floods = Floods(1, FakeClock())
    floods.refuse(source({"client": ("2001:db8::1", 1)}))
    with pytest.raises(LimitExceeded):
        floods.refuse(source({"client": ("2001:db8::ffff:2", 1)}))
    floods.refuse(source({"client": ("2001:db8:0:1::1", 1)}))


async def test_floods_and_large_bodies_stop_here(tmp_path: Path) -> None:
    async with outside(tmp_path, per_minute=3, max_bytes=100) as edge:
        token: dict[str, Any] = {"x_a2a_notification_token": "t"}
        assert await edge.send(body=b"x" * 101, **token) == 413
        assert await edge.send(**token) == 202
        assert await edge.send(**token) == 202
        assert await edge.send(**token) == 429
        assert len(edge.inner.heard) == 2
