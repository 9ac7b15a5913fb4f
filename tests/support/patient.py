"""An app with requests that are over at once, and others that last until their client leaves."""

from shared.asgi import Exchange, Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers, but for `/wait`, which it does not end; a WebSocket hears "yes" to each message."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "yes"})
    elif scope["type"] == "http":
        exchange = Exchange(scope, receive, send)
        await exchange.body(1 << 20)
        if exchange.path == "/wait":
            await exchange.start(200, [])
            await exchange.write(b"one")
            await exchange.disconnected()
        else:
            await exchange.reply(200, [])
