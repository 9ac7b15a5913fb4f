"""The envelope is read once, kept raw, and refused where two readers could read two things."""

import msgspec
import pytest

from shared import jsonrpc
from shared.errors import BadRequest


def test_an_envelope_keeps_id_and_params_as_they_were_written() -> None:
    envelope = jsonrpc.read(b'{"jsonrpc":"2.0","id":1e2,"method":"x","params":{"a": [1, 2]},"more":true}')
    assert bytes(envelope.id) == b"1e2"
    assert bytes(envelope.params) == b'{"a": [1, 2]}'
    assert not jsonrpc.read(b'{"jsonrpc":"2.0","method":"x"}').has_id


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", -32700, id="empty"),
        pytest.param(b'{"jsonrpc":"2.0",', -32700, id="truncated"),
        pytest.param(b"\xff\xfe", -32700, id="not text"),
        pytest.param(b'[{"jsonrpc":"2.0","id":1,"method":"x"}]', -32600, id="batch"),
        pytest.param(b"3", -32600, id="a number"),
        pytest.param(b'{"jsonrpc":"1.0","id":1,"method":"x"}', -32600, id="other version"),
        pytest.param(b'{"jsonrpc":"2.0","id":{},"method":"x"}', -32600, id="id of a wrong type"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":7}', -32600, id="method of a wrong type"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}', -32600, id="doubled method"),
        pytest.param(
            b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"n":1,"\\u006e":2}}',
            -32600,
            id="doubled inside, escaped",
        ),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"a","params":' + b"[" * 100_000, -32700, id="deep"),
    ],
)
def test_what_is_no_request_is_refused_with_its_code(body: bytes, code: int) -> None:
    with pytest.raises(BadRequest) as caught:
        jsonrpc.read(body)
    assert caught.value.code == code


def test_a_key_that_stands_twice_is_found_at_once_and_named_shortly() -> None:
    """However many others stand before it, and however long it is: both are the sender's to choose."""
    many = b",".join(b'"k%d":1' % number for number in range(200_000))
    with pytest.raises(BadRequest, match="'k199999' stands twice"):
        jsonrpc.refuse_duplicates(b"{" + many + b',"k199999":1}')
    long = b'"' + b"k" * 100_000 + b'":1'
    with pytest.raises(BadRequest) as caught:
        jsonrpc.refuse_duplicates(b"{" + long + b"," + long + b"}")
    assert len(caught.value.detail) < 200


def test_answers_carry_the_id_of_their_request() -> None:
    request_id = msgspec.Raw(b'"a"')
    assert msgspec.json.decode(jsonrpc.result(request_id, b"[1]")) == {
        "jsonrpc": "2.0",
        "id": "a",
        "result": [1],
    }
    refused = msgspec.json.decode(jsonrpc.error(msgspec.Raw(), -32602, "no", {"x": 1}))
    assert refused == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32602, "message": "no", "data": {"x": 1}},
    }
    assert msgspec.json.decode(jsonrpc.request(b"", "n/x")) == {"jsonrpc": "2.0", "method": "n/x"}
