"""TLS at a listener: what clients negotiate, what they are refused, certificates that change meanwhile."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from shared import server, tls
from shared.server import ServerName
from shared.tls import Listening, Tls
from tests.support.tls import HOST, Authority, key_of
from tests.support.tls_app import app
from tests.support.wait import SECONDS, eventually

# The client's library lets some of the server's alerts through as they are.
REFUSED = (httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError, ssl.SSLError)

SERVERS: tuple[ServerName, ...] = ("hypercorn", "granian")


class Served:
    def __init__(self, url: str, listening: Listening) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.listening = listening


@contextlib.asynccontextmanager
async def served(settings: Tls, name: ServerName = "hypercorn") -> AsyncIterator[Served]:
    stop, ready, listening = asyncio.Event(), asyncio.Event(), Listening(settings)
    listener = server.bind(f"{HOST}:0")
    url, listening_at = server.url_of(listener, secure=True), listener.getsockname()
    serving = server.serve(
        app, listener, stop, server=name, grace_seconds=0.2, ready=ready.set, tls=listening
    )
    task = asyncio.create_task(serving)
    try:
        await asyncio.wait_for(ready.wait(), SECONDS)
        await eventually(lambda: answers(listening_at), "the server")
        yield Served(url, listening)
    finally:
        stop.set()
        await asyncio.wait_for(task, SECONDS)
        listener.close()


def answers(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, 1):
        return True
    return False


async def ask(url: str, context: ssl.SSLContext, **options: Any) -> dict[str, Any]:
    transport = httpx.AsyncHTTPTransport(verify=context, **options)
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.post(url, content=b"hello")
        found: dict[str, Any] = answer.json()
        return found


@pytest.mark.parametrize("name", SERVERS)
async def test_clients_choose_http_1_or_2_while_they_shake_hands(name: ServerName, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with served(authority.tls(), name) as at:
        first = await ask(at.url, authority.client())
        second = await ask(at.url, authority.client(), http1=False, http2=True)
    assert (first["version"], first["scheme"], first["read"]) == ("1.1", "https", 5)
    assert (second["version"], second["scheme"], second["read"]) == ("2", "https", 5)


async def test_only_what_is_configured_is_offered(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with served(authority.tls(alpn=("http/1.1",), min_version="1.3")) as at:
        assert (await ask(at.url, authority.client(), http2=True))["version"] == "1.1"
        old = authority.client()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError):
            await ask(at.url, old)


async def test_plain_text_at_a_tls_port_is_hung_up_on(tmp_path: Path) -> None:
    async with served(Authority(tmp_path).tls()) as at:
        reader, writer = await asyncio.open_connection(HOST, at.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), SECONDS)
        writer.close()
    assert b"HTTP" not in answer


@pytest.mark.parametrize("name", SERVERS)
async def test_a_client_must_have_a_certificate_of_the_right_authority_where_that_is_asked(
    name: ServerName, tmp_path: Path
) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    settings = authority.tls(client_ca=str(authority.path), require_client=True)
    good = authority.workload("alice", "spiffe://acme/alice")
    late = authority.issue("late", "alice.test", expired=True)
    foreign = other.workload("alice", "spiffe://acme/alice")
    async with served(settings, name) as at:
        told = await ask(at.url, authority.client(good))
        for bad in (None, late, foreign):
            with pytest.raises(REFUSED):
                await ask(at.url, authority.client(bad))
    if name == "hypercorn":
        assert told["peer"] == ["alice", "spiffe://acme/alice"]


async def test_every_connection_is_known_by_its_own_certificate_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = authority.tls(client_ca=str(authority.path))
    names = [f"user{n}" for n in range(8)]
    clients = [authority.client(authority.issue(name, "x.test", subject=name)) for name in names]
    async with served(settings) as at:
        calls = [ask(at.url, client, http1=False, http2=True) for client in clients]
        told = await asyncio.gather(*calls, ask(at.url, authority.client()))
    assert [each["peer"] and each["peer"][0] for each in told] == [*names, None]
    assert len({each["fingerprint"] for each in told}) == 9


async def test_a_new_certificate_is_taken_without_a_stop_and_a_bad_one_is_not(tmp_path: Path) -> None:
    old, new = Authority(tmp_path), Authority(tmp_path, "new")
    settings = old.tls(client_ca=str(old.path))
    later, mine = new.issue("server"), old.issue("mine", "x.test", subject="mine")
    async with served(settings) as at:
        assert (await ask(at.url, old.client(mine)))["peer"] == ["mine"]
        Path(settings.key).write_text("nonsense")
        assert not at.listening.reload()
        assert (await ask(at.url, old.client()))["version"] == "1.1"
        Path(settings.key).write_bytes(key_of(later).read_bytes())
        Path(settings.certificate).write_bytes(later.read_bytes())
        Path(settings.client_ca).write_bytes(new.path.read_bytes())
        assert at.listening.reload()
        assert (await ask(at.url, new.client()))["version"] == "1.1"
        with pytest.raises(REFUSED):
            await ask(at.url, new.client(mine))


async def test_changed_files_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_LOOK_SECONDS", 0.01)
    listening, reloaded = Listening(Authority(tmp_path).tls()), asyncio.Event()
    monkeypatch.setattr(listening, "reload", reloaded.set)
    following = asyncio.create_task(listening.follow())
    Path(listening.tls.key).write_text("changed")
    await asyncio.wait_for(reloaded.wait(), SECONDS)
    following.cancel()


def test_what_cannot_work_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good, ca = authority.tls(), str(authority.path)
    assert tls.problems(good, "hypercorn") == tls.problems(good, "granian") == []

    def only(server: str = "hypercorn", **changes: Any) -> str:
        [problem] = tls.problems(msgspec.structs.replace(good, **changes), server)
        return problem

    assert "client_ca" in only(require_client=True)
    assert "granian" in only("granian", http3=True)
    assert "granian" in only("granian", client_ca=ca)
    assert "tls.http3" in only(client_ca=ca, http3=True)
    assert "tls.alpn" in only(alpn=())
    assert "nothere.pem" in only(certificate=str(tmp_path / "nothere.pem"))
    assert "do not do" in only(key=str(key_of(authority.issue("another"))))
