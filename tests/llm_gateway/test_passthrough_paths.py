"""Paths in disguise, as they stand on the wire: none of them leads out of its place."""

import asyncio

import pytest

from tests.llm_gateway.gateway import Gateway
from tests.llm_gateway.test_passthrough import PREFIX, gateway
from tests.support.providers import ScriptedProvider
from tests.support.wait import SECONDS

__all__ = ["gateway"]

TRICKS = [
    "/../admin",
    "/a/../../admin",
    "/..",
    "/.",
    "/./models",
    "/%2e%2e/admin",
    "/%2E%2E/admin",
    "/.%2e/admin",
    "/%252e%252e/admin",
    "/a%2fb",
    "/a%2F..%2Fb",
    "/a%5cb",
    "/a\\b",
    "//evil.example/x",
    "/a//b",
    "/..;/admin",
    "/a;b=c/..",
    "/a%00b",
    "/a%0d%0aX-Injected:%201",
    "/a%0ab",
    "/a%20b",
    "/a%09b",
    "/a%7f",
    "@evil.example/",
    ":1@evil.example/",
    ".evil.example/",
]


@pytest.mark.parametrize("path", TRICKS)
async def test_no_path_leads_out_of_its_place(
    gateway: Gateway, provider: ScriptedProvider, path: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    token = gateway.identity()["txn-token"]
    writer.write(
        f"GET {PREFIX}{path} HTTP/1.1\r\nhost: x\r\ntxn-token: {token}\r\nconnection: close\r\n\r\n".encode()
    )
    answer = await asyncio.wait_for(reader.read(), SECONDS)
    writer.close()
    assert answer.split(b" ")[1] in (b"400", b"404")
    assert provider.calls == []
