"""A service's own process listens with TLS, and takes a new certificate when it is told to."""

import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from shared.errors import UpstreamFault
from shared.http_client import HttpClient
from tests.support.service_process import ServiceProcess, service_process
from tests.support.tls import Authority, key_of
from tests.support.wait import eventually


def edge(directory: Path) -> AbstractAsyncContextManager[ServiceProcess]:
    config = {
        "identity": {"keys_dir": "keys", "trust": {}},
        "state": {"dir": "state"},
        "api_gateway": {"tls": {"certificate": "server.pem", "key": "server.key"}},
    }
    return service_process("api_gateway", directory, config)


def place(authority: Authority, directory: Path) -> None:
    made = authority.issue("made")
    (directory / "server.pem").write_bytes(made.read_bytes())
    (directory / "server.key").write_bytes(key_of(made).read_bytes())


async def _status(authority: Authority, url: str) -> int:
    client = HttpClient(tls=authority.client())
    try:
        async with await client.send("GET", f"{url}/healthz") as reply:
            return reply.status
    except UpstreamFault:
        return 0
    finally:
        await client.close()


async def test_a_service_listens_with_tls_and_takes_a_new_certificate_on_sighup(tmp_path: Path) -> None:
    first, second = Authority(tmp_path), Authority(tmp_path, "second")
    place(first, tmp_path)
    async with edge(tmp_path) as served:
        url = served.url
        assert url.startswith("https://127.0.0.1:")
        assert await _status(first, url) == 200
        assert await _status(second, url) == 0
        place(second, tmp_path)
        served.process.send_signal(signal.SIGHUP)

        async def taken() -> bool:
            return await _status(second, url) == 200

        await eventually(taken, "the new certificate")
        assert await _status(first, url) == 0


async def test_files_that_are_not_there_are_told_before_a_socket_opens(tmp_path: Path) -> None:
    async with edge(tmp_path) as served:
        assert await served.process.wait() == 2
