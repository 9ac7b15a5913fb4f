"""Before anybody asks who calls: addresses, maintenance, browsers' questions, and the access log."""

import io
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api_gateway.access_log import AccessLog
from api_gateway.config import Section, problems
from api_gateway.maintenance import Maintenance
from shared.asgi import Message, Receive, Scope, Send
from shared.clock import Clock
from tests.api_gateway.fronted import fronted
from tests.support.serve import serving
from tests.support.tls_app import app

PAGE = "https://app.example.com"
ASKING = {"origin": PAGE, "access_control_request_method": "POST"}
HERE = "127.0.0.0/8"


async def _says_so_itself(scope: Scope, receive: Receive, send: Send) -> None:
    """A service with a word of its own on who may read it."""
    headers = [(b"access-control-allow-origin", b"*"), (b"content-length", b"2"), (b"etag", b"x")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok", "more_body": False})


async def test_a_page_that_is_listed_may_ask_call_and_read(tmp_path: Path) -> None:
    route = {"cors": {"origins": [PAGE], "expose": ["etag"]}}
    async with (
        serving(_says_so_itself) as url,
        fronted(tmp_path, {"urls": [url], **route}, {"urls": [url]}) as front,
    ):
        asked = await front.ask("/r0/x", method="OPTIONS", key="", **ASKING)
        called = await front.ask("/r0/x", origin=PAGE)
        refused = await front.ask("/r0/x", key="none", origin=PAGE)
        nobody = await front.ask("/r0/x")
        foreign = await front.ask("/r0/x", origin="https://evil.example")
        evil = {**ASKING, "origin": "https://evil.example"}
        turned_away = await front.ask("/r0/x", method="OPTIONS", key="", **evil)
        elsewhere = await front.ask("/r1/x", method="OPTIONS", key="", **ASKING)
        told = [entry.action for entry in front.entries]
    assert asked.status == 204
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert called.headers["access-control-allow-origin"] == PAGE
    assert "etag" in called.headers["access-control-expose-headers"]
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, PAGE)
    for answer in (nobody, foreign, turned_away, elsewhere):
        assert "access-control-allow-origin" not in answer.headers
    assert (foreign.status, turned_away.status, elsewhere.status) == (200, 403, 401)
    assert "preflight" in told


@pytest.mark.parametrize(
    ("section", "statuses"),
    [
        ({"addresses": {"deny": [HERE]}}, (403, 403, 403)),
        ({"addresses": {"allow": ["10.0.0.0/8"]}}, (403, 403, 403)),
        ({"addresses": {"allow": [HERE]}}, (200, 403, 403)),
        ({"addresses": {"allow": [HERE]}, "proxies": [HERE]}, (403, 403, 403)),
    ],
)
async def test_who_is_not_let_in_by_address_gets_nowhere(
    tmp_path: Path, section: dict[str, Any], statuses: tuple[int, ...]
) -> None:
    async with serving(app) as url:
        routes: list[dict[str, Any]] = [{"urls": [url]}, {"urls": [url], "addresses": {"deny": [HERE]}}]
        async with fronted(tmp_path, *routes, **section) as front:
            claim = {"x_forwarded_for": "198.51.100.7"}
            first = await front.ask("/r0/x", **claim)
            second = await front.ask("/r1/x", **claim)
            third = await front.ask("/r1/x", method="OPTIONS", **claim, **ASKING)
            assert (await front.ask("/healthz")).status == 200
    assert (first.status, second.status, third.status) == statuses


async def test_a_real_address_counts_behind_a_proxy_that_is_known(tmp_path: Path) -> None:
    async with serving(app) as url:
        rule = {"allow": ["198.51.100.0/24"]}
        async with fronted(tmp_path, {"urls": [url], "addresses": rule}, proxies=[HERE]) as front:
            let_in = await front.ask("/r0/x", x_forwarded_for="203.0.113.9, 198.51.100.7")
            kept_out = await front.ask("/r0/x", x_forwarded_for="198.51.100.7, 203.0.113.9")
    assert (let_in.status, kept_out.status) == (200, 403)


async def test_maintenance_says_when_to_come_back_and_ends_by_a_word(tmp_path: Path) -> None:
    async with serving(app) as url:
        configured = {"routes": ["r1"], "retry_after_seconds": 90, "message": "moving house"}
        async with fronted(tmp_path, {"urls": [url]}, {"urls": [url]}, maintenance=configured) as front:
            board = front.edge.app.state.board
            closed = await front.ask("/r1/x")
            assert (await front.ask("/r0/x")).status == 200
            await board.say(Maintenance(routes=["*"]))
            all_closed = [
                (await front.ask(path)).status for path in ("/r0/x", "/mcp", "/v1/models", "/oauth/x")
            ]
            admin = (await front.ask("/admin/api/keys")).status
            await board.say(Maintenance())
            assert (await front.ask("/r0/x")).status == 200
    assert (closed.status, closed.headers["retry-after"]) == (503, "90")
    assert b"moving house" in closed.body
    assert all_closed == [503, 503, 503, 503]
    assert admin == 403


async def test_the_access_log_has_one_line_a_request_and_no_query(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(app) as url, fronted(tmp_path, {"urls": [url]}, access_log=True) as front:
        await front.ask("/r0/x?key=secret", user_agent="me/1")
        await front.ask("/healthz")
    printed = capsys.readouterr().out
    lines = [msgspec.json.decode(line) for line in printed.splitlines() if "access" in line]
    [line] = [line for line in lines if line["path"] == "/r0/x"]
    assert (line["client"], line["method"], line["status"]) == ("127.0.0.1", "GET", 200)
    assert line["bytes"] > 0
    assert line["call"]
    assert line["agent"] == "me/1"
    assert "secret" not in printed


async def test_a_line_of_the_access_log_is_there_at_once_and_counts_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe))

    async def socket(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", "headers": []})
        await send({"type": "websocket.send", "text": "é"})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_: Message) -> None:
        pass

    scope = {"type": "websocket", "path": "/r0/x", "headers": []}
    await AccessLog(socket, clock=Clock())(scope, receive, send)
    line = msgspec.json.decode(pipe.getvalue())
    assert (line["status"], line["bytes"]) == (101, 2)


def test_rules_that_mean_nothing_are_problems() -> None:
    route = {"name": "a", "prefix": "/a", "urls": ["http://a"]}
    raw = {
        "routes": [{**route, "cors": {"origins": ["app.example.com"]}, "addresses": {"allow": ["here"]}}],
        "addresses": {"deny": ["300.1.1.1"]},
        "maintenance": {"routes": ["a", "llm", "*", "b"]},
    }
    found = [problem.partition(":")[0] for problem in problems(msgspec.convert(raw, Section))]
    assert sorted(found) == [
        "addresses.deny[0]",
        "maintenance.routes[3]",
        "routes[0].addresses.allow[0]",
        "routes[0].cors.origins[0]",
    ]
