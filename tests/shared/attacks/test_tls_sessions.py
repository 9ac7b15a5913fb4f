"""A TLS session from before an authority was taken off the list."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

from shared.tls_peer import Asking
from tests.shared.test_tls import served
from tests.support.tls import HOST, Authority


class Client:
    """One that keeps the session of its first connection."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.reused: bool | None = None
        self._port = port
        self._context = context
        self._session: ssl.SSLSession | None = None

    def ask(self) -> bytes:
        """The answer; nothing where it is hung up on."""
        with contextlib.suppress(OSError), self._connected() as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: peer.recv(65_536), b""))
            self._session, self.reused = self._session or peer.session, peer.session_reused
            return answer
        return b""

    def _connected(self) -> ssl.SSLSocket:
        plain = socket.create_connection((HOST, self._port), timeout=10)
        return self._context.wrap_socket(plain, server_hostname=HOST, session=self._session)


async def test_a_session_does_not_outlive_the_authority_that_vouched_for_it(tmp_path: Path) -> None:
    old, new = Authority(tmp_path), Authority(tmp_path, "new")
    settings = old.tls(client_ca=str(old.path))
    context = old.client(old.issue("mine", "x.test", subject="mine"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with served(settings) as at:
        # Sessions are dated to the second.
        assert isinstance(at.listening._current, Asking)
        at.listening._current.since -= 2
        client = Client(int(at.url.rpartition(":")[2]), context)
        first = await asyncio.to_thread(client.ask)
        again = await asyncio.to_thread(client.ask)
        Path(settings.client_ca).write_bytes(new.path.read_bytes())
        assert at.listening.reload()
        late = await asyncio.to_thread(client.ask)
    assert b'"peer":["mine"]' in first
    assert b'"peer":["mine"]' in again
    assert client.reused
    assert late == b""
