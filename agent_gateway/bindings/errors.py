"""A2A's errors by number: what each binding calls them, and how one becomes the other."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from agent_gateway.bindings import Failure
from shared import jsonrpc
from shared.dialects import a2a
from shared.errors import UpstreamBroken

_CODES = {reason: code for code, reason in a2a.REASONS.items()}
_BY_STATUS = {404: a2a.TASK_NOT_FOUND, 400: jsonrpc.INVALID_PARAMS, 405: jsonrpc.METHOD_NOT_FOUND}
_LONGEST = 2_000


class _Detail(Struct):
    reason: str = ""


class _Status(Struct):
    message: str = ""
    details: list[Raw] = []


class _Body(Struct):
    """Some agents of 0.3 have number and message here, and nothing else."""

    error: _Status | None = None
    code: int = 0
    message: str = ""


class _Error(Struct):
    code: int
    message: str = ""
    data: Raw = Raw()


_BODY = msgspec.json.Decoder(_Body)
_DETAIL = msgspec.json.Decoder(_Detail)
_ERROR = msgspec.json.Decoder(_Error)


def from_jsonrpc(raw: Raw) -> Failure:
    """The error object of a JSON-RPC response. Raises UpstreamBroken."""
    try:
        found = _ERROR.decode(raw)
    except msgspec.DecodeError as error:
        raise UpstreamBroken("the agent's error is no JSON-RPC error", cause=error) from error
    return Failure(code=found.code, message=found.message, data=Raw(bytes(found.data)))


def from_status(body: bytes, status: int) -> Failure:
    """The body of a failed request over HTTP+JSON. Raises UpstreamBroken."""
    try:
        outer = _BODY.decode(body)
        found = outer.error
        if found is None:
            if not outer.code:
                raise UpstreamBroken("the agent's error is not of A2A's form")
            return Failure(code=outer.code, message=outer.message)
        reasons = [detail.reason for raw in found.details if (detail := _detail(raw)) is not None]
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken("the agent's error is not of A2A's form", cause=error) from error
    known = (code for reason in reasons if (code := _CODES.get(reason)) is not None)
    code = next(known, _BY_STATUS.get(status, jsonrpc.INTERNAL_ERROR))
    data = Raw(msgspec.json.encode(found.details)) if found.details else Raw()
    return Failure(code=code, message=found.message, data=data)


def to_jsonrpc(request_id: Raw, failure: Failure, *, earlier: bool = False) -> bytes:
    """A JSON-RPC response. 0.3 has fewer numbers: it is told of an invalid request where it lacks one."""
    code = failure.code
    if earlier and code in (a2a.EXTENSION_SUPPORT_REQUIRED, a2a.VERSION_NOT_SUPPORTED):
        code = jsonrpc.INVALID_REQUEST
    data = failure.data if bytes(failure.data) not in (b"", b"null") else None
    return jsonrpc.error(request_id, code, failure.message[:_LONGEST], data)


def to_status(failure: Failure, *, earlier: bool = False) -> tuple[int, bytes]:
    """HTTP status and body of HTTP+JSON."""
    return a2a.status_body(failure.code, failure.message[:_LONGEST], _details(failure), earlier=earlier)


def _details(failure: Failure) -> list[Any]:
    """The agent's own details where they are of the form that HTTP+JSON has, or none but the reason."""
    found = msgspec.json.decode(failure.data) if bytes(failure.data) else None
    if isinstance(found, list) and all(isinstance(item, dict) for item in found):
        return found
    reason = a2a.REASONS.get(failure.code)
    return [a2a.error_info(reason, {})] if reason is not None else []


def _detail(raw: Raw) -> _Detail | None:
    try:
        return _DETAIL.decode(raw)
    except msgspec.DecodeError:
        return None
