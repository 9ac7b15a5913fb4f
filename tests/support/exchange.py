"""An exchange without a socket: a request as data, and what was sent back."""

from collections.abc import Iterable
from typing import Any

from shared.asgi import Exchange, Message


class Wire:
    """What a server would do: hands out the request's messages, keeps the answer's."""

    def __init__(self, chunks: Iterable[bytes] = ()) -> None:
        parts = list(chunks) or [b""]
        self.incoming: list[Message] = [
            {"type": "http.request", "body": part, "more_body": place < len(parts) - 1}
            for place, part in enumerate(parts)
        ]
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        return self.incoming.pop(0) if self.incoming else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def exchange(
    path: str = "/",
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    wire: Wire | None = None,
    **scope: Any,
) -> Exchange:
    """An exchange over `wire`; `scope` overrides what a server would have put there."""
    wire = wire or Wire()
    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    whole = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": raw,
        "scheme": "http",
        **scope,
    }
    return Exchange(whole, wire.receive, wire.send)
