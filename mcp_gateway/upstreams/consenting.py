"""A server that users connect to: where it wants their consent first, the call's answer is the way to give
it, said as any server of the session era says it. What else there is to translate is done where all answers
are.
"""

import contextlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.capabilities import lacking
from mcp_gateway.credentials.consents import Consents
from mcp_gateway.credentials.credential import ConsentNeeded
from mcp_gateway.meta import Members
from mcp_gateway.questions.wording import RESPONSES, URL_REQUIRED
from mcp_gateway.upstreams.http import HttpUpstream
from mcp_gateway.upstreams.sse import SseUpstream
from mcp_gateway.upstreams.upstream import Call, Hearing, Welcome
from shared import jsonrpc
from shared.jsonrpc import Envelope

_BY_LINK = Raw(b'{"mode":"url"}')
_TOOL_CALL = "tools/call"
_ACCEPTED, _REFUSED = "accept", ("decline", "cancel")


class _Said(Struct):
    action: str = ""


class Consenting:
    """`upstream`, whose credential may raise ConsentNeeded."""

    def __init__(self, upstream: HttpUpstream | SseUpstream, consents: Consents) -> None:
        self.name = upstream.name
        self._upstream = upstream
        self._consents = consents

    async def welcome(self) -> Welcome:
        return await self._upstream.welcome()

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        """A client that comes back from following the link waits until its user has done so too."""
        said = _said(call.params)
        for last in (said != _ACCEPTED, True):
            try:
                async with aclosing(self._upstream.call(call)) as heard:
                    async for message in heard:
                        yield message
                return
            except ConsentNeeded as needed:
                if not call.owner:
                    # Nobody in particular asks, when a list is read.
                    raise
                if last or not await self._consents.arrives(self.name, call.owner, needed.scopes):
                    yield await self._answer(call, needed, said)
                    return

    async def listen(self, hearing: Hearing) -> AsyncGenerator[Envelope, None]:
        with contextlib.suppress(ConsentNeeded):
            async with aclosing(self._upstream.listen(hearing)) as heard:
                async for message in heard:
                    yield message

    async def close(self) -> None:
        await self._upstream.close()

    async def _answer(self, call: Call, needed: ConsentNeeded, said: str) -> Envelope:
        user, minutes = call.owner[1], self._consents.minutes
        if said in _REFUSED:
            return _refusal(call, f"{user} did not agree to connect to the MCP server {self.name!r}")
        url = await self._consents.link(self.name, call.owner, needed.scopes)
        if not lacking(call.capabilities, "elicitation/create", _BY_LINK):
            return Envelope(
                error=_elicitation(url, f"Connect {user} to {self.name}, to go on with this call.")
            )
        text = (
            f"The MCP server {self.name!r} needs the consent of {user} first. Ask them to open this address "
            f"within {minutes} minutes, to confirm there, and then call again: {url}"
        )
        return _refusal(call, text)


def _said(params: Members) -> str:
    """What the user has answered to the link in an earlier round of this call; "" where there was none."""
    try:
        found = msgspec.json.decode(params.get(RESPONSES, Raw(b"{}")), type=dict[str, _Said])
    except (msgspec.DecodeError, RecursionError):
        return ""
    return next((one.action for one in found.values()), "")


def _refusal(call: Call, text: str) -> Envelope:
    """For a model to read, where it is a tool that was called."""
    if call.method == _TOOL_CALL:
        content = [{"type": "text", "text": text}]
        return Envelope(result=_raw({"content": content, "isError": True}))
    return Envelope(error=_raw({"code": jsonrpc.INTERNAL_ERROR, "message": text}))


def _elicitation(url: str, message: str) -> Raw:
    link = {"mode": "url", "elicitationId": secrets.token_urlsafe(16), "url": url, "message": message}
    return _raw({"code": URL_REQUIRED, "message": message, "data": {"elicitations": [link]}})


def _raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))
