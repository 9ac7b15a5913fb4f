"""Errors on the wire of MCP: codes, statuses and ids in both eras."""

import msgspec
import pytest
from msgspec import Raw

from shared.dialects.mcp import Mcp, is_stateless
from shared.errors import (
    BadRequest,
    Forbidden,
    GatestackError,
    Killed,
    LimitExceeded,
    MethodNotAllowed,
    NotFound,
    Unauthenticated,
    UpstreamTimeout,
)
from tests.support.exchange import exchange


def _refusal(dialect: Mcp, error: GatestackError) -> tuple[int, dict[bytes, bytes], dict[str, object]]:
    status, headers, body = dialect.refusal(error, "call-1")
    return status, dict(headers), msgspec.json.decode(body)


@pytest.mark.parametrize(
    ("code", "session", "stateless"),
    [
        (-32700, 400, 400),
        (-32600, 400, 400),
        (-32601, 200, 404),
        (-32602, 200, 400),
        (-32020, 400, 400),
        (-32022, 400, 400),
    ],
)
def test_protocol_errors_travel_under_the_status_of_their_era(
    code: int, session: int, stateless: int
) -> None:
    error = BadRequest("no", code=code)
    assert _refusal(Mcp(Raw(b"1")), error)[0] == session
    assert _refusal(Mcp(Raw(b"1"), stateless=True), error)[0] == stateless


@pytest.mark.parametrize("stateless", [True, False])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unauthenticated("who"), 401, -32010),
        (Forbidden("no"), 403, -32011),
        (Killed("stopped"), 403, -32012),
        (LimitExceeded("slow down", retry_after=2.2), 429, -32013),
        (UpstreamTimeout("late"), 200, -32014),
        (NotFound("no such session"), 404, -32600),
        (MethodNotAllowed("POST"), 405, -32600),
    ],
)
def test_ours_keep_the_status_that_http_has_for_them(
    error: GatestackError, status: int, code: int, stateless: bool
) -> None:
    found, headers, body = _refusal(Mcp(Raw(b'"a"'), stateless=stateless), error)
    assert (found, headers[b"content-type"]) == (status, b"application/json")
    assert body["id"] == "a"
    assert body["error"]["code"] == code  # type: ignore[index]
    assert body["error"]["message"] == error.detail  # type: ignore[index]
    assert body["error"]["data"]["call"] == "call-1"  # type: ignore[index]


def test_a_limit_says_when_to_come_back() -> None:
    _, headers, body = _refusal(Mcp(), LimitExceeded("slow down", retry_after=2.2))
    assert headers[b"retry-after"] == b"3"
    assert body["error"]["data"]["retry_after"] == 3  # type: ignore[index]


def test_an_unknown_caller_is_told_how_to_become_known() -> None:
    assert _refusal(Mcp(), Unauthenticated("who"))[1][b"www-authenticate"].startswith(b"Bearer")


@pytest.mark.parametrize("stateless", [True, False])
def test_a_refused_item_and_an_unknown_one_are_the_same_bytes(stateless: bool) -> None:
    dialect = Mcp(Raw(b"7"), stateless=stateless).hiding("there is no tool 'x'")
    refused = dialect.refusal(Forbidden("user:alice may not"), "c")
    assert refused == dialect.refusal(NotFound("nothing like it"), "c")
    assert b"alice" not in refused[2]
    assert b"there is no tool 'x'" in refused[2]


def test_data_of_an_error_goes_out_as_it_is() -> None:
    data = {"supported": ["2026-07-28"], "requested": "2099-01-01"}
    body = _refusal(Mcp(stateless=True), BadRequest("no", code=-32022, data=data))[2]
    assert body["error"]["data"] == data  # type: ignore[index]


def test_a_stream_ends_with_an_error_event() -> None:
    event = Mcp(Raw(b"3")).event(Killed("stopped"), "c")
    assert event.startswith(b"event: message\ndata: ")
    assert event.endswith(b"\n\n")
    assert msgspec.json.decode(event.split(b"data: ")[1])["error"]["code"] == -32012


def test_a_detail_with_half_a_character_still_goes_out() -> None:
    assert _refusal(Mcp(), BadRequest("no \ud800 here"))[2]["error"]["message"] == "no ? here"  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "known"),
    [
        (b'{"jsonrpc":"2.0","id":"q","method":"ping"}', "q"),
        (b'{"jsonrpc":"2.0","id":5}', 5),
        (b'{"id":{"a":1}}', None),
        (b'{"id":[1]}', None),
        (b"{not json", None),
        (b"[]", None),
    ],
)
def test_the_id_is_taken_from_a_body_where_it_has_one(body: bytes, known: object) -> None:
    dialect = Mcp().knowing(exchange(), body)
    assert _refusal(dialect, BadRequest("no"))[2]["id"] == known


@pytest.mark.parametrize(
    ("version", "stateless"),
    [(None, False), ("2025-03-26", False), ("2024-11-05", False), ("2026-07-28", True), ("2099-01-01", True)],
)
def test_the_version_header_tells_the_era(version: str | None, stateless: bool) -> None:
    headers = {} if version is None else {"mcp-protocol-version": version}
    assert is_stateless(exchange(headers=headers)) is stateless
