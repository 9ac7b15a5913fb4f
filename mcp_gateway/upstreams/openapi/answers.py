"""What an API answers, as the result of a tool: structured where it is JSON, a resource where it is neither
that nor text, an error where its status says so.
"""

import base64
import re
from typing import Any

import msgspec
from msgspec import Raw

from mcp_gateway.upstreams.openapi.document import Document, Unusable
from mcp_gateway.upstreams.openapi.operation import Operation
from mcp_gateway.upstreams.openapi.references import followed
from mcp_gateway.upstreams.openapi.schemas import Inliner
from shared.errors import UpstreamBroken
from shared.http_client import Reply

_ERROR_CAP = 16_384
# Statuses that speak of our credential: what is said with them is not for the caller.
_ABOUT_US = frozenset((401, 407))
_TEXTS = ("text/", "application/xml", "application/yaml", "application/javascript")
_JSON = re.compile(r"application/([a-z0-9!#$&^_.+-]+\+)?json")
_WRAPPED = "result"
_Content = list[dict[str, Any]]


def is_json(media: str) -> bool:
    return bool(_JSON.fullmatch(kind_of(media)))


def kind_of(media: str) -> str:
    """A media type without its parameters."""
    return media.partition(";")[0].strip().lower()


def answers(document: Document, raw: dict[str, Any]) -> tuple[Any, bool]:
    """The schema of what an operation answers when it succeeds, and whether its answers have to be wrapped;
    None where the document promises nothing, several things, or one that cannot be written down.
    """
    responses = raw.get("responses")
    good = (
        [part for status, part in responses.items() if str(status).startswith("2")]
        if isinstance(responses, dict)
        else []
    )
    try:
        content = followed(document.root, good[0]).get("content") if len(good) == 1 else None
        if not isinstance(content, dict) or not content or not all(map(is_json, content)):
            return None, False
        held = next(iter(content.values()))
        schema = Inliner(document, "writeOnly")(held["schema"]) if "schema" in held else None
    except (Unusable, TypeError):
        return None, False
    if not isinstance(schema, dict):
        return None, False
    if schema.get("type") == "object":
        return schema, False
    return {"type": "object", "properties": {_WRAPPED: schema}, "required": [_WRAPPED]}, True


async def result(reply: Reply, operation: Operation, server: str, cap: int) -> bytes:
    """The result that `reply` is. Raises UpstreamFault."""
    if reply.header("content-encoding") not in (None, "identity"):
        raise UpstreamBroken(f"the API {server!r} answered compressed, which it was not asked to")
    if reply.status in _ABOUT_US:
        return failed(f"HTTP {reply.status}: the API did not accept the credential that the gateway has")
    if 300 <= reply.status < 400:
        return failed(f"HTTP {reply.status}: the API sends elsewhere, and redirects are not followed")
    if reply.status >= 400:
        said = (await _beginning(reply)).decode("utf-8", "replace").strip()
        return failed(f"HTTP {reply.status}" + (f": {said}" if said else ""))
    body = await reply.read(cap)
    media = reply.header("content-type") or ""
    if not body:
        return _untyped(operation, [{"type": "text", "text": f"HTTP {reply.status}, and nothing more"}])
    if is_json(media):
        return _structured(body, operation, server)
    return _untyped(operation, [_block(body, media, operation.name)])


def failed(text: str) -> bytes:
    return msgspec.json.encode({"content": [{"type": "text", "text": text}], "isError": True})


def _structured(body: bytes, operation: Operation, server: str) -> bytes:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken(
            f"the API {server!r} answered with something that is no JSON", cause=error
        ) from error
    content: _Content = [{"type": "text", "text": body.decode("utf-8", "replace")}]
    wrapped = operation.wrapped or not isinstance(value, dict)
    if operation.checks is not None:
        problem = operation.checks.problem({_WRAPPED: value} if wrapped else value)
        if problem is not None:
            text = f"the API answered something else than its document says ({problem})"
            content = [{"type": "text", "text": text}, *content]
            return msgspec.json.encode({"content": content, "isError": True})
    # Written anew: a member that stands twice would be read in two ways.
    structured = Raw(msgspec.json.encode({_WRAPPED: value} if wrapped else value))
    return msgspec.json.encode({"content": content, "structuredContent": structured})


def _untyped(operation: Operation, content: _Content) -> bytes:
    """Whoever was promised structured content takes its absence for a fault: it is told that it is one."""
    if operation.answers is None:
        return msgspec.json.encode({"content": content})
    text = "the API answered something else than its document says"
    return msgspec.json.encode({"content": [{"type": "text", "text": text}, *content], "isError": True})


def _block(body: bytes, media: str, name: str) -> dict[str, Any]:
    kind = kind_of(media) or "application/octet-stream"
    if kind.startswith(_TEXTS) or (kind.endswith("+xml") and not kind.startswith("image/")):
        return {"type": "text", "text": body.decode(_charset(media), "replace")}
    data = base64.b64encode(body).decode()
    for type_ in ("image", "audio"):
        if kind.startswith(f"{type_}/"):
            return {"type": type_, "data": data, "mimeType": kind}
    return {"type": "resource", "resource": {"uri": f"answer:{name}", "mimeType": kind, "blob": data}}


def _charset(media: str) -> str:
    _, found, charset = media.lower().partition("charset=")
    return "latin-1" if found and charset.strip("\"' ").startswith("iso-8859-1") else "utf-8"


async def _beginning(reply: Reply) -> bytes:
    parts, seen = [], 0
    async for chunk in reply.chunks():
        parts.append(chunk)
        seen += len(chunk)
        if seen >= _ERROR_CAP:
            break
    return b"".join(parts)[:_ERROR_CAP]
