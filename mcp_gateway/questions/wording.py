"""Questions and answers in the words of either era.

Source: https://modelcontextprotocol.io/specification/2026-07-28 (input requests) and
https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
"""

import secrets
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import meta
from mcp_gateway.meta import Members
from shared import jsonrpc
from shared.errors import UpstreamBroken
from shared.jsonrpc import Envelope

INPUT_REQUIRED = "input_required"
RESPONSES, STATE = "inputResponses", "requestState"
URL_REQUIRED = -32042
METHODS = ("elicitation/create", "sampling/createMessage", "roots/list")
_ID = "elicitationId"
_MOST = 16


class Question(Struct, frozen=True):
    """One thing that is wanted of a client."""

    method: str
    params: Raw = Raw()


class Wanted(Struct, frozen=True):
    """An `input_required` result: what is asked, by the server's own keys, and what it wants back with the
    answers.
    """

    inputRequests: dict[str, Question] = {}
    requestState: Raw = Raw()


class _Kind(Struct):
    resultType: str = "complete"


class _Links(Struct):
    elicitations: list[Members] = []


def wanted(result: bytes, server: str) -> Wanted | None:
    """What a server of the stateless era wants to know before it goes on; None for a result that is one."""
    if (
        b'"input_required"' not in result
        or msgspec.json.decode(result, type=_Kind).resultType != INPUT_REQUIRED
    ):
        return None
    found = msgspec.json.decode(result, type=Wanted)
    if len(found.inputRequests) > _MOST or not (found.inputRequests or bytes(found.requestState)):
        raise UpstreamBroken(f"the MCP server {server!r} asks for nothing, or for too much at once")
    return found


def links(data: Raw) -> dict[str, Question]:
    """The links that somebody has to follow first, as the session era says it in its error -32042."""
    try:
        found = msgspec.json.decode(data, type=_Links).elicitations[:_MOST] if bytes(data) else []
    except msgspec.DecodeError:
        return {}
    return {
        f"link{place}": Question("elicitation/create", Raw(msgspec.json.encode(link)))
        for place, link in enumerate(found, 1)
    }


def input_required(questions: dict[str, Question], state: str | Raw) -> bytes:
    """The result that asks a client of the stateless era."""
    result: dict[str, Any] = {"resultType": INPUT_REQUIRED}
    if questions:
        result["inputRequests"] = {key: for_stateless(question) for key, question in questions.items()}
    if state:
        result[STATE] = state
    return msgspec.json.encode(result)


def for_stateless(question: Question) -> Question:
    """Without what only the session era has: the link's id, and the small print of a request."""
    params = meta.members(question.params)
    if _ID not in params and "_meta" not in params:
        return question
    kept = {name: value for name, value in params.items() if name not in (_ID, "_meta")}
    return Question(question.method, Raw(msgspec.json.encode(kept)))


def for_session(question: Question, question_id: str) -> bytes:
    """The request that asks a client of the session era."""
    params = meta.members(question.params)
    if bytes(params.get("mode", Raw())) == b'"url"' and _ID not in params:
        params[_ID] = Raw(msgspec.json.encode(secrets.token_urlsafe(16)))
    body = msgspec.json.encode(params) if params or bytes(question.params) else b""
    return jsonrpc.request(msgspec.json.encode(question_id), question.method, body)


def withdrawn(question_id: str) -> bytes:
    """What a client of the session era is told when nobody waits for its answer any more."""
    return jsonrpc.request(b"", "notifications/cancelled", msgspec.json.encode({"requestId": question_id}))


def encoded(message: Envelope) -> bytes:
    """A message as JSON, with the members that it has."""
    members: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id, "method": message.method}
    members |= {"params": message.params, "result": message.result, "error": message.error}
    there = {
        name: value for name, value in members.items() if (bytes(value) if isinstance(value, Raw) else value)
    }
    return msgspec.json.encode(there)


def readdressed(answer: Envelope, request_id: Raw) -> bytes:
    """A client's answer, for the server that had asked under another id."""
    if bytes(answer.error):
        return b'{"jsonrpc":"2.0","id":' + bytes(request_id) + b',"error":' + bytes(answer.error) + b"}"
    return jsonrpc.result(request_id, bytes(answer.result))
