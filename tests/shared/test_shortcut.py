"""Whichever way a request takes, it comes to the endpoint that Starlette's router alone would have found."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.asgi import Receive, Scope, Send
from shared.shortcut import Shortcut


class Endpoint:
    """Raw ASGI that says its own name, and what the router has told it."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = sorted(scope.get("path_params", {}).items()) if self._name != "all" else ""
        await PlainTextResponse(f"{self._name} {told or ''}")(scope, receive, send)


async def page(_: Request) -> Response:
    return PlainTextResponse("page")


def routes(*, catch_all: bool) -> list[Route]:
    last = [Route("/{path:path}", endpoint=Endpoint("all"))] if catch_all else []
    return [
        Route("/healthz", page),
        Route("/v1/chat", endpoint=Endpoint("chat")),
        Route("/v1/{rest}/x", endpoint=Endpoint("rest")),
        Route("/v1/later/x", endpoint=Endpoint("later")),
        Route("/agents/{name}/push/{hook}", endpoint=Endpoint("push")),
        *last,
    ]


async def heard(app: Any, method: str, path: str) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    call: Callable[..., Awaitable[None]] = app
    await call(scope | {"server": ("gate", 80), "scheme": "http"}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("catch_all", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        *("/healthz", "/healthz/", "/healthz\n", "/health", "/v1/chat", "/v1/chat/", "/v1/chat\n", "/v1"),
        *("/v1/later/x", "/v1/a/x", "/v1/a/b/x", "/agents/a/push/b", "/agents/a", "/agents", "//v1/chat"),
        *("/", "", "*", "v1/chat", "/a\nb", "/v1/a\nb", "/V1/chat", "/v1/%63hat"),
    ],
)
async def test_it_comes_to_the_same_place(path: str, method: str, *, catch_all: bool) -> None:
    plain, short = (Starlette(routes=routes(catch_all=catch_all)) for _ in range(2))
    short.middleware_stack = Shortcut(short.router, short.build_middleware_stack())
    assert await heard(short, method, path) == await heard(plain, method, path)


async def test_most_requests_pass_the_router_by() -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError(scope["path"])

    router = Starlette(routes=routes(catch_all=True)).router
    assert await heard(Shortcut(router, never), "POST", "/v1/chat") == (200, b"chat ")
    assert await heard(Shortcut(router, never), "POST", "/agents/a") == (200, b"all ")


def test_a_route_that_may_begin_with_anything_is_refused() -> None:
    router = Starlette(routes=[Route("/{tenant}/x", endpoint=Endpoint("tenant"))]).router
    with pytest.raises(ValueError, match="plain segment"):
        Shortcut(router, router)
