"""Who is at the other end of a TLS connection, by the certificate that the handshake has verified.

No ASGI server here puts it into the scope, and no header could be believed. hypercorn asks the TLS object
which protocol was chosen, once and in the task that then serves the connection: that is when it is noted.
"""

import hashlib
import ssl
from contextvars import ContextVar
from typing import Any

from msgspec import Struct

from shared.clock import Clock

SCOPE_KEY = "gatestack.peer"


class PeerCertificate(Struct, frozen=True, kw_only=True):
    """`fingerprint` is the SHA-256 of the certificate in lower-case hex, `uris` and `names` are its
    alternative names of these kinds, `subject` is its common name, `until` the end of its time in seconds
    since 1970.
    """

    fingerprint: str
    until: int
    subject: str = ""
    uris: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


_PEER: ContextVar[PeerCertificate | None] = ContextVar("peer", default=None)


class Asking(ssl.SSLContext):
    """A context that asks for certificates, and knows since when it does (seconds since 1970)."""

    since: float = 0.0

    @classmethod
    def made(cls) -> "Asking":
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context.since = Clock().now()
        context.sslobject_class = PeerWatch
        return context


class PeerWatch(ssl.SSLObject):
    """A TLS object that notes its peer's certificate for the task that asks for its protocol."""

    def do_handshake(self) -> None:
        super().do_handshake()
        session, context = self.session, self.context
        if not self.session_reused or session is None or not isinstance(context, Asking):
            return
        # TLS 1.2 keeps sessions without tickets too, and nobody looks at the certificate of one again.
        if session.time <= context.since:
            raise ssl.SSLError("this session is from before certificates were last looked at")

    def selected_alpn_protocol(self) -> str | None:
        _PEER.set(_certificate(self))
        return super().selected_alpn_protocol()


def with_peer(app: Any) -> Any:
    """`app`, with the connection's certificate (None without one) in the scope of each request."""

    async def told(scope: Any, receive: Any, send: Any) -> None:
        scope[SCOPE_KEY] = _PEER.get()
        await app(scope, receive, send)

    return told


def _certificate(connection: ssl.SSLObject) -> PeerCertificate | None:
    encoded = connection.getpeercert(binary_form=True)
    if not encoded:
        return None
    read: dict[str, Any] = connection.getpeercert() or {}
    names = [(str(kind), str(value)) for kind, value in read.get("subjectAltName", ())]
    common = [value for part in read.get("subject", ()) for kind, value in part if kind == "commonName"]
    return PeerCertificate(
        fingerprint=hashlib.sha256(encoded).hexdigest(),
        until=ssl.cert_time_to_seconds(read["notAfter"]) if "notAfter" in read else 0,
        subject=common[0] if len(common) == 1 else "",
        uris=tuple(value for kind, value in names if kind == "URI"),
        names=tuple(value for kind, value in names if kind == "DNS"),
    )
