"""A service behind a route that keeps what it was asked and answers as the test says."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from api_gateway.control import Control
from shared.asgi import Exchange, Receive, Scope, Send
from shared.policy import PolicyRules, Rule
from tests.api_gateway.fronted import Front
from tests.support.wait import eventually

Headers = Sequence[tuple[str, str]]


class Asked(Struct, frozen=True):
    """One request as it arrived. `path` is in its escaped form."""

    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key == name.encode()]


class Script:
    """`status`, `headers` and `body` are what it says; with `held` not before that is set. `cut` ends the
    answer in its middle.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.status = 200
        self.headers: Headers = ()
        self.body = b"hello"
        self.held: asyncio.Event | None = None
        self.cut = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        body = await exchange.body(1 << 24) if exchange.expects_body else b""
        path = scope["raw_path"].decode("latin-1").partition("?")[0]
        self.asked.append(Asked(exchange.method, path, exchange.query, list(exchange.headers), body))
        # As it is now, whatever the test says to the next one.
        status, said, answer = self.status, list(self.headers), self.body
        if self.held is not None:
            await self.held.wait()
        headers = [(name.encode(), value.encode("latin-1")) for name, value in said]
        if self.cut:
            await exchange.start(status, [*headers, (b"content-length", b"1000")])
            await exchange.write(answer)
            raise RuntimeError("the test cuts this answer")
        bodiless = status in (204, 304)
        await exchange.start(
            status, headers if bodiless else [*headers, (b"content-length", str(len(answer)).encode())]
        )
        await exchange.finish(b"" if bodiless else answer)


async def allow(front: Front, *rules: Rule) -> None:
    """These rules and no others from here on."""
    control: Control = front.edge.app.state.control
    latest = await control.store.latest_policy()
    assert latest is not None
    wanted = PolicyRules(rules=list(rules))
    made = await control.change_policy(wanted, after=latest.number, by="user:operator", reason="a test")
    await eventually(lambda: front.edge.parts.policy.current.epoch >= made.version, "the new policy")
