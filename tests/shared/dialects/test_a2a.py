"""Errors as A2A clients read them: JSON-RPC with google.rpc details, in a status that fits how far we had
got.
"""

from typing import Any

import msgspec
import pytest
from a2a.client.transports.jsonrpc import JsonRpcTransport
from msgspec import Raw

from shared import sse
from shared.dialects import a2a
from shared.dialects.a2a import A2A
from shared.errors import (
    BadRequest,
    BudgetExceeded,
    DelegationRefused,
    Fault,
    Forbidden,
    GatestackError,
    Killed,
    LimitExceeded,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamBroken,
    UpstreamUnreachable,
)
from tests.support.exchange import exchange

READ = A2A(Raw(b'"r1"'))


def _rendered(error: GatestackError, dialect: A2A = READ) -> tuple[int, dict[bytes, bytes], Any]:
    status, headers, body = dialect.refusal(error, "call-1")
    return status, dict(headers), msgspec.json.decode(body)


@pytest.mark.parametrize(
    ("error", "code", "reason", "domain"),
    [
        (BadRequest("x"), -32600, "INVALID", "gatestack"),
        (BadRequest("x", code=-32602), -32602, "INVALID", "gatestack"),
        (
            BadRequest("x", code=a2a.VERSION_NOT_SUPPORTED),
            -32009,
            "VERSION_NOT_SUPPORTED",
            "a2a-protocol.org",
        ),
        (NotFound("x", code=a2a.TASK_NOT_FOUND), -32001, "TASK_NOT_FOUND", "a2a-protocol.org"),
        (Forbidden("x"), -32000, "FORBIDDEN", "gatestack"),
        (DelegationRefused("x"), -32000, "DELEGATION", "gatestack"),
        (Killed("x"), -32000, "KILLED", "gatestack"),
        (BudgetExceeded("x"), -32000, "BUDGET", "gatestack"),
        (UpstreamUnreachable("x"), -32603, "UPSTREAM_UNREACHABLE", "gatestack"),
        (UpstreamBroken("x"), -32006, "INVALID_AGENT_RESPONSE", "a2a-protocol.org"),
        (Fault("x"), -32603, "FAULT", "gatestack"),
    ],
)
def test_an_error_has_the_code_that_a2a_has_for_it_and_says_why(
    error: GatestackError, code: int, reason: str, domain: str
) -> None:
    _, _, body = _rendered(error)
    [info] = body["error"]["data"]
    assert body["error"]["code"] == code
    assert body["error"]["message"] == "x"
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (info["reason"], info["domain"]) == (reason, domain)
    assert info["metadata"]["call"] == "call-1"


@pytest.mark.parametrize(
    ("error", "unread", "read"),
    [
        (Unauthenticated("x"), 401, 401),
        (LimitExceeded("x"), 429, 429),
        (Unavailable("x"), 503, 503),
        (Forbidden("x"), 403, 200),
        (NotFound("x"), 404, 200),
        (TooLarge("x"), 413, 200),
        (BadRequest("x"), 400, 200),
        (UpstreamUnreachable("x"), 502, 200),
    ],
)
def test_once_a_request_is_read_its_error_is_an_answer_unless_http_clients_act_on_the_status(
    error: GatestackError, unread: int, read: int
) -> None:
    assert _rendered(error, A2A())[0] == unread
    assert _rendered(error)[0] == read


def test_an_unknown_caller_is_told_how_to_authenticate() -> None:
    _, headers, body = _rendered(Unauthenticated("send a key"), A2A())
    assert headers[b"www-authenticate"] == b"Bearer"
    assert body["id"] is None


def test_a_limit_says_when_to_come_back_in_the_header_and_in_the_details() -> None:
    _, headers, body = _rendered(LimitExceeded("slow down", retry_after=1.5))
    assert headers[b"retry-after"] == b"2"
    assert body["error"]["data"][1]["retryDelay"] == "1.5s"


@pytest.mark.parametrize(
    ("body", "written"),
    [
        (b'{"id": "a"}', b'"a"'),
        (b'{"id": 7, "method": 1}', b"7"),
        (b'{"id": null}', b"null"),
        (b'{"jsonrpc": "2.0"}', b"null"),
        (b'{"id": {"x": 1}}', b"null"),
        (b'{"id": true}', b"null"),
    ],
)
def test_the_id_is_the_one_that_the_request_had(body: bytes, written: bytes) -> None:
    dialect = A2A().knowing(exchange("/agents/x"), body)
    status, _, answer = dialect.refusal(BadRequest("x"), "call-1")
    assert status == 200
    assert b'"id":' + written + b"," in answer


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_teaches_nothing(body: bytes) -> None:
    status, _, answer = A2A().knowing(exchange("/agents/x"), body).refusal(BadRequest("x"), "call-1")
    assert status == 400
    assert b'"id":null' in answer


def test_half_a_character_of_the_callers_does_no_harm() -> None:
    _, _, body = _rendered(BadRequest("no \ud800 here"))
    assert body["error"]["message"] == "no ? here"


def test_the_official_client_reads_code_message_and_metadata_out_of_a_streams_last_event() -> None:
    event = READ.event(Killed("stopped by an operator", data={"kill": "k1"}), "call-1")
    error = msgspec.json.decode(sse.data_of(event))["error"]
    raised = JsonRpcTransport._create_jsonrpc_error(None, error)  # type: ignore[arg-type]
    assert "stopped by an operator" in str(raised)
    assert error["data"][0]["metadata"] == {"call": "call-1", "kill": "k1"}
