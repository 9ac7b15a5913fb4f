"""What a server says in one HTTP answer: its status, and then one JSON message or a stream of them."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from mcp_gateway.upstreams.upstream import heard
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.http_client import Reply
from shared.jsonrpc import Envelope
from shared.sse import SseSplitter, data_of

_ERROR_CAP = 65_536
# A server that answers so has said nothing about the call itself, only about us.
ABOUT_US = frozenset((401, 403, 407, 408, 429))

_RETRY_SECONDS, _LONGEST_RETRY = 1.0, 30.0
_FIELD = re.compile(rb"^(id|retry):[ ]?([^\r\n]*)", re.MULTILINE)


class Mark:
    """Where a stream can be taken up again when it breaks off: after the event `id`, in so many seconds."""

    def __init__(self) -> None:
        self.id = ""
        self.retry_seconds = _RETRY_SECONDS

    def note(self, event: bytes) -> None:
        if event.startswith((b"data: ", b"event: message\ndata: ")):
            return
        for field, value in _FIELD.findall(event):
            if field == b"id":
                self.id = value.decode("latin-1")
            elif value.isdigit() and len(value) < 8:
                self.retry_seconds = min(int(value) / 1000, _LONGEST_RETRY)

    def taken(self) -> str:
        """The id, for one attempt: a server that says no more does not get another."""
        found, self.id = self.id, ""
        return found


async def checked(reply: Reply, server: str) -> Reply:
    """`reply` when it can be read as an answer. Raises UpstreamRefused when its status says all there is."""
    if reply.status < 300 and reply.status != 202:
        return reply
    about_us = reply.status in ABOUT_US or not 400 <= reply.status < 500
    if about_us or not (reply.header("content-type") or "").startswith("application/json"):
        await reply.close()
        raise UpstreamRefused(
            f"the MCP server {server!r} answered with HTTP status {reply.status}",
            upstream_status=reply.status,
            retryable=False,
            retry_after=_seconds(reply.header("retry-after")),
        )
    return reply


async def messages(reply: Reply, server: str, cap: int, mark: Mark) -> AsyncGenerator[Envelope, None]:
    """The messages of an answer, as they arrive. Raises UpstreamBroken past `cap` bytes, or when they are
    none.
    """
    kind = (reply.header("content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/json":
        yield heard(await reply.read(cap if reply.status < 300 else _ERROR_CAP), server)
        return
    if kind != "text/event-stream":
        raise UpstreamBroken(f"the MCP server {server!r} answered with something that is no JSON-RPC")
    async with aclosing(streamed(reply, server, cap, mark, whole=cap)) as said:
        async for message in said:
            yield message


async def streamed(
    reply: Reply, server: str, cap: int, mark: Mark, *, whole: int | None = None
) -> AsyncGenerator[Envelope, None]:
    """The messages of an event stream, each of at most `cap` bytes, all together of at most `whole`."""
    splitter = SseSplitter(cap)
    seen = 0
    async for chunk in reply.chunks():
        seen += len(chunk)
        if whole is not None and seen > whole:
            raise UpstreamBroken(f"the MCP server {server!r} answered with more than {whole} bytes")
        for event in splitter.feed(chunk):
            mark.note(event)
            if data := data_of(event):
                yield heard(data, server)


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdigit() and len(retry_after) < 7 else None
