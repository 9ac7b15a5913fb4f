"""A2A over JSON-RPC: the envelope is read strictly, bytes are passed on as they are."""

from typing import Any

import msgspec
import pytest

from agent_gateway.bindings.extensions import Extensions
from agent_gateway.bindings.incoming import Incoming
from agent_gateway.bindings.jsonrpc import JsonRpc
from agent_gateway.call import Call
from shared.errors import BadRequest, UpstreamBroken
from tests.support.exchange import exchange

BINDING, INCOMING = JsonRpc(), Incoming(Extensions(()))
MESSAGE = {"message": {"messageId": "m", "parts": [{"text": "hi"}]}}


def _read(body: Any, **headers: str) -> Call:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    sent = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return INCOMING.over_jsonrpc(exchange("/agents/x", headers=sent), raw)


def _request(method: str = "SendMessage", params: Any = MESSAGE, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": "r1", "method": method, "params": params, **more}


def test_a_request_is_read_and_written_with_the_id_and_the_members_it_had() -> None:
    call = _read(b'{"jsonrpc":"2.0","id":1.50,"method":"GetTask","params":{"id":"t","length":1e1}}')
    assert call.method.name == "GetTask"
    assert call.names.task == "t"
    written = BINDING.request(call, call.params, "http://agent/")
    assert (written.method, written.url) == ("POST", "http://agent/")
    assert written.body == b'{"jsonrpc":"2.0","id":1.50,"method":"GetTask","params":{"id":"t","length":1e1}}'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMess', -32700),
        (b"not json", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32600),
        (b'"text"', -32600),
        (b"[]", -32600),
        (msgspec.json.encode([_request()]), -32600),
        (_request() | {"jsonrpc": "1.0"}, -32600),
        (_request() | {"id": {"a": 1}}, -32600),
        (_request() | {"id": True}, -32600),
        (_request() | {"method": 7}, -32600),
        (_request(method=""), -32600),
        ({"jsonrpc": "2.0", "method": "SendMessage", "params": MESSAGE}, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","method":"GetTask","params":{}}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"mine","id":"theirs"}}', -32600),
        (_request("Unheard", {}), -32601),
        (_request(params=[1]), -32602),
        (_request(params="x"), -32602),
        (_request("CreateTaskPushNotificationConfig", {}), -32602),
        (_request("message/send"), -32602),
        (_request("tasks/list", {}), -32601),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_with_the_code_for_it(body: Any, code: int) -> None:
    with pytest.raises(BadRequest) as raised:
        _read(body)
    assert raised.value.code == code


def test_a_body_that_says_it_is_no_json_is_refused_and_one_that_says_nothing_is_not() -> None:
    with pytest.raises(BadRequest) as raised:
        _read(_request(), content_type="text/plain")
    assert raised.value.code == -32005
    assert _read(_request(), content_type="application/json; charset=utf-8").method.name == "SendMessage"
    bare = INCOMING.over_jsonrpc(exchange("/agents/x"), msgspec.json.encode(_request()))
    assert bare.method.name == "SendMessage"


def test_an_answer_is_passed_on_byte_for_byte() -> None:
    body = b'{ "id": "r1", "result": {"task":{"id":"t"}},\n"jsonrpc":"2.0", "error": null }'
    answer = BINDING.answer(_read(_request()), body)
    assert answer.body is body
    assert bytes(answer.result) == b'{"task":{"id":"t"}}'
    assert answer.failure is None


def test_an_error_of_the_agents_is_an_answer() -> None:
    body = b'{"jsonrpc":"2.0","id":"r1","error":{"code":-32001,"message":"gone","data":[1]}}'
    answer = BINDING.answer(_read(_request()), body)
    assert answer.failure is not None
    assert (answer.body, answer.failure.code, answer.failure.message) == (body, -32001, "gone")
    assert BINDING.whole(_read(_request()), answer).body is body


def test_an_error_without_an_id_gets_the_clients() -> None:
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}'
    answer = BINDING.answer(_read(_request()), body)
    assert answer.body == b'{"jsonrpc":"2.0","id":"r1","error":{"code":-32700,"message":"what?"}}'


def test_an_id_may_come_back_in_another_spelling() -> None:
    call = _read(_request() | {"id": "ü"})
    assert BINDING.answer(call, b'{"jsonrpc":"2.0","id":"\\u00fc","result":{}}').failure is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"jsonrpc":"2.0","id":"r1"}',
        b'{"jsonrpc":"2.0","id":"r2","result":{}}',
        b'{"jsonrpc":"2.0","result":{}}',
        b'{"jsonrpc":"1.0","id":"r1","result":{}}',
        b'{"jsonrpc":"2.0","id":"r1","result":{},"error":{"code":1,"message":""}}',
        b'{"jsonrpc":"2.0","id":"r1","error":"text"}',
        b'{"jsonrpc":"2.0","id":"r2","error":{"code":1,"message":"for another"}}',
    ],
)
def test_what_is_no_answer_to_this_request_is_not_passed_on(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        BINDING.answer(_read(_request()), body)
