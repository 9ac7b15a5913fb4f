"""JSON-RPC 2.0 envelopes as raw bytes: read once, spliced, never re-modelled. MCP and A2A both stand on it.

Source: https://www.jsonrpc.org/specification
"""

import json
from collections import Counter
from typing import Any

import msgspec
from msgspec import Raw, Struct

from shared.errors import BadRequest

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = (
    -32700,
    -32600,
    -32601,
    -32602,
    -32603,
)
NULL = Raw(b"null")


class Envelope(Struct, frozen=True):
    """A request, notification or response. Absent members are empty `Raw`; `id` is kept as it was written."""

    jsonrpc: str = ""
    id: Raw = Raw()
    method: str = ""
    params: Raw = Raw()
    result: Raw = Raw()
    error: Raw = Raw()

    @property
    def has_id(self) -> bool:
        return bool(bytes(self.id))


_DECODER = msgspec.json.Decoder(Envelope)


class DuplicateKey(ValueError):
    """An object has one member twice."""


def read(body: bytes) -> Envelope:
    """The envelope of a request body. Raises BadRequest with the JSON-RPC code that fits.

    A body in which any object has one key twice is refused: what policy reads must be what the upstream
    reads.
    """
    if body.lstrip()[:1] == b"[":
        raise BadRequest("batches are not part of this protocol: send one request", code=INVALID_REQUEST)
    refuse_duplicates(body)
    try:
        envelope = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(
            f"this is not a JSON-RPC request: {error}", code=INVALID_REQUEST, cause=error
        ) from error
    if envelope.jsonrpc != "2.0":
        raise BadRequest('a JSON-RPC request needs "jsonrpc": "2.0"', code=INVALID_REQUEST)
    if envelope.has_id and bytes(envelope.id)[:1] in b"{[tf":
        raise BadRequest("a JSON-RPC id is a string or a number", code=INVALID_REQUEST)
    return envelope


def refuse_duplicates(body: bytes) -> None:
    """Raises BadRequest when `body` is no JSON, or when any object in it has one key twice."""
    try:
        # Only the standard library tells of members that stand twice.
        json.loads(body, object_pairs_hook=_unique)  # noqa: TID251
    except DuplicateKey as error:
        raise BadRequest(
            f"the key {error.args[0][:100]!r} stands twice in one object", code=INVALID_REQUEST
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}", code=PARSE_ERROR, cause=error) from error


def result(request_id: Raw, value: bytes) -> bytes:
    """A response with `value`, raw JSON, as its result."""
    return b'{"jsonrpc":"2.0","id":' + (bytes(request_id) or b"null") + b',"result":' + value + b"}"


def error(request_id: Raw, code: int, message: str, data: object = None) -> bytes:
    body: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return (
        b'{"jsonrpc":"2.0","id":'
        + (bytes(request_id) or b"null")
        + b',"error":'
        + msgspec.json.encode(body)
        + b"}"
    )


def request(request_id: bytes, method: str, params: bytes = b"") -> bytes:
    """A request with raw `params`; a notification when `request_id` is empty."""
    head = b'{"jsonrpc":"2.0",' + (b'"id":' + request_id + b"," if request_id else b"")
    body = head + b'"method":' + msgspec.json.encode(method)
    return body + (b',"params":' + params if params else b"") + b"}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = Counter(name for name, _ in pairs)
        raise DuplicateKey(next(name for name, times in names.items() if times > 1))
    return found
