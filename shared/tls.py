"""TLS at a listener: what the configuration says of it, and the context that new connections are met with.

Not for calls to others: how those are trusted is shared/http_client.py's and shared/tls_trust.py's business.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from shared.tls_peer import Asking

_LOG = logging.getLogger("gatestack")  # noqa: TID251  no request is near
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# Of TLS 1.2 only what RFC 9113 section 9.2.2 leaves: forward secrecy and authenticated encryption.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_LOOK_SECONDS = 5.0


class Tls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`certificate` (with its intermediates) and `key` are PEM files, read again when they change.

    Clients are asked for a certificate of one of `client_ca`; with `require_client` none without one gets a
    connection. `alpn` is what is offered, best first; `http3` answers QUIC at the same port too.
    """

    certificate: str
    key: str
    client_ca: str = ""
    require_client: bool = False
    min_version: Literal["1.2", "1.3"] = "1.2"
    alpn: tuple[Literal["h2", "http/1.1"], ...] = ("h2", "http/1.1")
    http3: bool = False


class Listening:
    """The TLS of one listener. Connections begin with `context`, and `reload` changes what they then get."""

    def __init__(self, tls: Tls) -> None:
        """Raises OSError and ValueError where the files do not do."""
        self.tls = tls
        self.on_reload: Callable[[], None] = _nobody
        self._current = _context(tls)
        self.context = _context(tls)
        # Asked in every handshake, with a server name or without: the one place to swap a context.
        self.context.sni_callback = self._choose
        self._stamps = self._stamp()

    def reload(self) -> bool:
        """Takes the files as they are now. What does not fit together is logged, and the last good stays."""
        self._stamps = self._stamp()
        try:
            self._current = _context(self.tls)
        except (OSError, ValueError) as error:
            _LOG.warning("the certificate is not taken, the one before stays: %s", error)
            return False
        self.on_reload()
        return True

    async def follow(self) -> None:
        """Reloads whenever one of the files has changed, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._stamp() != self._stamps:
                self.reload()

    def _choose(self, connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = self._current

    def _stamp(self) -> list[tuple[int, int]]:
        return [_written(Path(name)) for name in _files(self.tls)]


def _nobody() -> None:
    """Nobody else has the certificate."""


def resolved(tls: Tls, path: Callable[[str], Path]) -> Tls:
    """The same with whole paths."""
    certificate, key = str(path(tls.certificate)), str(path(tls.key))
    client_ca = str(path(tls.client_ca)) if tls.client_ca else ""
    return msgspec.structs.replace(tls, certificate=certificate, key=key, client_ca=client_ca)


def problems(tls: Tls, server: str) -> list[str]:
    """What is wrong with these settings and their files, as `path: problem`; paths must be whole."""
    found = []
    if tls.require_client and not tls.client_ca:
        found.append("tls.require_client: needs client_ca, the authority that clients' certificates are of")
    if tls.client_ca and not tls.require_client and server == "granian":
        found.append("tls.client_ca: granian can only insist on certificates: set require_client too")
    if server == "granian" and tls.http3:
        found.append("tls.http3: granian does not speak it: use hypercorn")
    if tls.client_ca and tls.http3:
        found.append("tls.http3: clients cannot be asked for certificates over it: leave one of both out")
    if not tls.alpn:
        found.append("tls.alpn: name at least one protocol")
    try:
        _context(tls)
    except (OSError, ValueError) as error:
        found.append(f"tls: {error}")
    return found


def _context(tls: Tls) -> ssl.SSLContext:
    """Raises OSError and ValueError that name the file."""
    context = Asking.made() if tls.client_ca else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(tls.alpn))
    _read(lambda: context.load_cert_chain(tls.certificate, tls.key, _no_password), tls.certificate, tls.key)
    if tls.client_ca:
        _read(lambda: context.load_verify_locations(tls.client_ca), tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if tls.require_client else ssl.CERT_OPTIONAL
        # A resumed session would not be asked again, whatever authority was removed since.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted: it must stand in its file without a password")


def _read(load: Callable[[], object], *names: str) -> None:
    for name in names:
        Path(name).read_bytes()
    try:
        load()
    except ssl.SSLError as error:
        raise ValueError(f"{' and '.join(names)} do not do: {error.reason or error}") from error


def _files(tls: Tls) -> list[str]:
    return [name for name in (tls.certificate, tls.key, tls.client_ca) if name]


def _written(path: Path) -> tuple[int, int]:
    """When a file was last written and which file that is; zeros while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino
