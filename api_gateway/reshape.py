"""Stage: JSON bodies are changed as the route says, a request's before anybody judges it, a reply's on its
way out. Streams and other types pass untouched.
"""

from api_gateway import guard
from api_gateway.answer import Answer, KeptAnswer
from api_gateway.balance.upstream import Upstream
from api_gateway.body_change import BodyChange
from api_gateway.cache_control import directives
from api_gateway.json_members import Overgrown
from api_gateway.media_type import is_json, refuse_coded
from api_gateway.upload import refuse_two_ends
from shared.asgi import Exchange
from shared.errors import BadRequest, GatestackError, Reason, TooLarge

# What is only true of the bytes that were there.
_OF_BYTES = frozenset(
    (b"content-length", b"content-digest", b"repr-digest", b"digest", b"content-md5", b"accept-ranges")
)
# With these the service would send something else than a whole body that can be read.
_PARTS_AND_CODINGS = frozenset((b"accept-encoding", b"range", b"if-range"))
_BODILESS = frozenset((204, 304))


class Unfit(GatestackError):
    """The service's answer cannot be changed as the route says; the service itself may be well."""

    status, reason = 502, Reason.UPSTREAM_BROKEN


async def reshape(exchange: Exchange, upstream: Upstream | None) -> None:
    """The request's body. Raises BadRequest, TooLarge."""
    if upstream is None:
        return
    if upstream.reply_body is not None:
        kept = [header for header in exchange.headers if header[0] not in _PARTS_AND_CODINGS]
        exchange.headers = [*kept, (b"accept-encoding", b"identity")]
    change = upstream.request_body
    if change is None or not exchange.expects_body or not is_json(exchange.header("content-type") or ""):
        return
    refuse_coded(exchange)
    refuse_two_ends(exchange)
    body = await exchange.peek(change.max_bytes)
    if not body:
        return
    try:
        body = change.apply(body, strict=True)
    except Overgrown as error:
        raise TooLarge(f"the body {error}") from error
    except ValueError as error:
        raise BadRequest(f"body: {error}") from error
    exchange.put_back(body)
    framed = _OF_BYTES | {b"transfer-encoding"}
    headers = [header for header in exchange.headers if header[0] not in framed]
    exchange.headers = [*headers, (b"content-length", str(len(body)).encode())]


async def reshaped(exchange: Exchange, answer: Answer, change: BodyChange) -> Answer:
    """The answer as the client gets it. Raises Unfit, and what reading the answer raises."""
    if not is_json(answer.header("content-type") or "") or answer.status in _BODILESS:
        return answer
    if "no-transform" in directives(answer.headers):
        # RFC 9111 section 5.2.2.6
        return answer
    headers = [header for header in guard.outward(answer.headers) if header[0] not in _OF_BYTES]
    if exchange.method == "HEAD":
        return KeptAnswer(status=answer.status, headers=headers)
    if answer.header("content-encoding") not in (None, "identity"):
        raise Unfit("the service's answer is compressed, and this route has to change it")
    body = await _whole(answer, change.max_bytes)
    if body:
        try:
            body = change.apply(body, strict=False)
        except ValueError as error:
            raise Unfit(f"the service's answer {error}, and this route has to change it") from error
    headers.append((b"content-length", str(len(body)).encode()))
    return KeptAnswer(status=answer.status, headers=headers, body=body)


async def _whole(answer: Answer, cap: int) -> bytes:
    parts, seen = [], 0
    async for chunk in answer.chunks():
        seen += len(chunk)
        if seen > cap:
            raise Unfit(f"the service's answer is larger than the {cap} bytes that this route can change")
        parts.append(chunk)
    return b"".join(parts)
