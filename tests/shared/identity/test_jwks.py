"""Issuers' keys: what a set may hold, and what happens when its issuer changes it, floods us or is gone."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.clock import Clock
from shared.errors import Unavailable, UpstreamUnreachable
from shared.http_client import HttpClient
from shared.identity import jwks
from shared.identity.jwks import IssuerKeys, fetcher
from shared.identity.signing import SigningKey
from tests.shared.identity import forge
from tests.support.clock import FakeClock

ONE, TWO = (SigningKey.of(forge.some_key(), 0) for _ in range(2))


def key_set(*keys: SigningKey | dict[str, Any]) -> bytes:
    return json.dumps(
        {"keys": [key.published() if isinstance(key, SigningKey) else key for key in keys]}
    ).encode()


class Issuer:
    """Hands out `document`, or fails with it; counts how often it was asked."""

    def __init__(self, document: bytes | Exception) -> None:
        self.document = document
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> bytes:
        self.asked += 1
        await self.open.wait()
        if isinstance(self.document, Exception):
            raise self.document
        return self.document


async def settle() -> None:
    """Lets tasks that wait for nothing run to their end."""
    for _ in range(5):
        await asyncio.sleep(0)


DOWN = UpstreamUnreachable("no connection")


async def test_keys_are_fetched_once_and_found_by_kid() -> None:
    issuer = Issuer(key_set(ONE, TWO))
    keys = IssuerKeys(issuer, FakeClock(), jwks.read)
    found = await keys.find(ONE.kid)
    assert found is not None
    assert found.public_numbers() == ONE.public.public_numbers()
    assert await keys.find(TWO.kid) is not None
    assert issuer.asked == 1


async def test_callers_that_come_at_once_share_one_fetch() -> None:
    issuer = Issuer(key_set(ONE))
    issuer.open.clear()
    keys = IssuerKeys(issuer, FakeClock(), jwks.read)
    waiting = [asyncio.create_task(keys.find(ONE.kid)) for _ in range(20)]
    await settle()
    waiting[0].cancel()
    issuer.open.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert None not in found[1:]
    assert issuer.asked == 1


async def test_a_flood_of_unknown_kids_asks_the_issuer_once_in_ten_seconds() -> None:
    clock, issuer = FakeClock(), Issuer(key_set(ONE))
    keys = IssuerKeys(issuer, clock, jwks.read)
    await keys.find(ONE.kid)
    clock.advance(11)
    for number in range(500):
        assert await keys.find(f"kid-{number}") is None
    assert issuer.asked == 2
    clock.advance(9.9)
    assert await keys.find("another") is None
    assert issuer.asked == 2
    clock.advance(0.1)
    assert await keys.find("another") is None
    assert issuer.asked == 3


async def test_a_flood_while_the_issuer_is_down_asks_it_no_more_often() -> None:
    clock, issuer = FakeClock(), Issuer(key_set(ONE))
    keys = IssuerKeys(issuer, clock, jwks.read)
    await keys.find(ONE.kid)
    issuer.document = DOWN
    clock.advance(11)
    for number in range(100):
        with pytest.raises(Unavailable):
            await keys.find(f"kid-{number}")
    assert await keys.find(ONE.kid) is not None
    assert issuer.asked == 2


async def test_a_new_kid_is_found_by_asking_again() -> None:
    clock, issuer = FakeClock(), Issuer(key_set(ONE))
    keys = IssuerKeys(issuer, clock, jwks.read)
    await keys.find(ONE.kid)
    issuer.document = key_set(TWO, ONE)
    clock.advance(10)
    assert await keys.find(TWO.kid) is not None


async def test_keys_are_refreshed_ahead_while_the_old_ones_serve() -> None:
    clock, issuer = FakeClock(), Issuer(key_set(ONE))
    keys = IssuerKeys(issuer, clock, jwks.read)
    await keys.find(ONE.kid)
    clock.advance(301)
    issuer.document = key_set(TWO, ONE)
    issuer.open.clear()
    assert await asyncio.wait_for(keys.find(ONE.kid), 1) is not None
    issuer.open.set()
    await settle()
    assert await keys.find(TWO.kid) is not None
    assert issuer.asked == 2


async def test_the_last_good_keys_serve_until_the_hard_limit_and_then_nobody_can_tell() -> None:
    clock, issuer = FakeClock(), Issuer(key_set(ONE))
    keys = IssuerKeys(issuer, clock, jwks.read, hard_limit_seconds=3600)
    await keys.find(ONE.kid)
    issuer.document = DOWN
    for _ in range(6):
        clock.advance(600)
        assert await keys.find(ONE.kid) is not None
        await settle()
    clock.advance(1)
    with pytest.raises(Unavailable):
        await keys.find(ONE.kid)
    issuer.document = key_set(ONE)
    clock.advance(1)
    assert await keys.find(ONE.kid) is not None


async def test_an_issuer_that_starts_after_us_is_found_soon() -> None:
    clock, issuer = FakeClock(), Issuer(DOWN)
    keys = IssuerKeys(issuer, clock, jwks.read)
    with pytest.raises(Unavailable):
        await keys.find(ONE.kid)
    issuer.document = key_set(ONE)
    clock.advance(0.25)
    assert await keys.find(ONE.kid) is not None


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":{}}', b"[" * 5000, b"<html>", b"\xff"]
)
async def test_a_set_that_makes_no_sense_does_not_replace_a_good_one(document: bytes) -> None:
    clock, issuer = FakeClock(), Issuer(key_set(ONE))
    keys = IssuerKeys(issuer, clock, jwks.read)
    await keys.find(ONE.kid)
    issuer.document = document
    clock.advance(301)
    assert await keys.find(ONE.kid) is not None
    await settle()
    assert issuer.asked == 2
    assert await keys.find(ONE.kid) is not None


async def test_a_key_that_was_taken_back_is_reported() -> None:
    clock, issuer, changes = FakeClock(), Issuer(key_set(ONE, TWO)), []
    keys = IssuerKeys(issuer, clock, jwks.read, changed=lambda: changes.append(1))
    await keys.find(ONE.kid)
    issuer.document = key_set(TWO)
    clock.advance(301)
    await keys.find(TWO.kid)
    await settle()
    assert changes == [1]
    assert await keys.find(ONE.kid) is None


async def test_closing_ends_a_fetch_that_hangs() -> None:
    issuer = Issuer(key_set(ONE))
    issuer.open.clear()
    keys = IssuerKeys(issuer, FakeClock(), jwks.read)
    waiting = asyncio.create_task(keys.find(ONE.kid))
    await settle()
    await keys.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(
    "changed",
    [
        {"kty": "oct", "k": forge.b64(b"secret")},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"crv": "P-384"},
        {"crv": "Ed25519", "kty": "OKP"},
        {"alg": "ES384"},
        {"alg": "HS256"},
        {"use": "enc"},
        {"kid": ""},
        {"kid": 5},
        {"x": ""},
        {"x": "!!!"},
        {"x": 5},
        {"y": forge.b64(b"\1" * 32)},
        {"x": forge.b64(b"\xff" * 40)},
    ],
    ids=str,
)
def test_keys_that_cannot_verify_es256_are_skipped(changed: dict[str, Any]) -> None:
    assert list(jwks.read(key_set({**ONE.published(), **changed}, TWO))) == [TWO.kid]
    with pytest.raises(ValueError, match="usable"):
        jwks.read(key_set({**ONE.published(), **changed}))


def test_alg_and_use_may_be_left_out() -> None:
    bare = {name: value for name, value in ONE.published().items() if name not in ("alg", "use")}
    assert list(jwks.read(key_set(bare))) == [ONE.kid]


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


async def test_a_set_is_read_from_a_file(tmp_path: Path, http: HttpClient) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set(ONE))
    for where in (str(file), f"file://{file}"):
        assert await IssuerKeys(fetcher(where, http), Clock(), jwks.read).find(ONE.kid) is not None
    with pytest.raises(Unavailable):
        await IssuerKeys(fetcher(str(tmp_path / "absent"), http), Clock(), jwks.read).find(ONE.kid)


@pytest.mark.parametrize(
    ("status", "body", "known"),
    [(200, key_set(ONE), True), (500, key_set(ONE), False), (302, b"", False), (200, b" " * 300_000, False)],
    ids=["good", "error", "redirect", "huge"],
)
async def test_a_set_is_read_over_http(http: HttpClient, status: int, body: bytes, known: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nlocation: http://127.0.0.1:1/\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = IssuerKeys(fetcher(f"http://127.0.0.1:{port}/.well-known/jwks.json", http), Clock(), jwks.read)
        if known:
            assert await keys.find(ONE.kid) is not None
        else:
            with pytest.raises(Unavailable):
                await keys.find(ONE.kid)
        await keys.close()


def test_the_encoding_of_coordinates_is_fixed_width() -> None:
    for _ in range(20):
        jwk = jwks.jwk_of(forge.some_key().public_key())
        assert {len(base64.urlsafe_b64decode(jwk[name] + "=")) for name in ("x", "y")} == {32}
