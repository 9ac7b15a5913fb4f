"""An app that tells what it was asked, and by whom."""

import msgspec

from shared.asgi import Exchange, Receive, Scope, Send
from shared.tls_peer import SCOPE_KEY


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    exchange = Exchange(scope, receive, send)
    peer = scope.get(SCOPE_KEY)
    told = {
        "version": scope["http_version"],
        "scheme": scope["scheme"],
        "read": len(await exchange.body(1 << 24)),
        "peer": [peer.subject, *peer.uris] if peer is not None else None,
        "fingerprint": peer.fingerprint if peer is not None else None,
    }
    await exchange.reply(200, [], msgspec.json.encode(told))
