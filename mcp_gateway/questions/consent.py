"""Asks the person who calls whether they want what their client is about to do: where policy leaves that to
them, and their client can show it.
"""

import asyncio
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import capabilities
from mcp_gateway.ask import Ask
from mcp_gateway.questions.desk import Desk
from mcp_gateway.questions.wording import Question
from mcp_gateway.reply import Reply
from shared.approvals import preview, visible
from shared.policy import Grant

_METHOD = "elicitation/create"
# Whether they accept is all there is to know.
_FORM: dict[str, Any] = {"type": "object", "properties": {}}


class _Result(Struct, frozen=True):
    action: str = ""


class CallersConsent:
    def __init__(self, desk: Desk, *, seconds: float) -> None:
        self._desk = desk
        self._seconds = seconds

    async def __call__(self, grant: Grant, ask: Ask, arguments: bytes, reply: Reply) -> bool | None:
        """Their word; None where they cannot be asked, or have not answered in time. Raises Unavailable."""
        params = Raw(msgspec.json.encode({"message": _words(grant, arguments), "requestedSchema": _FORM}))
        if ask.session is None or not is_person(grant):
            return None
        if capabilities.lacking(ask.capabilities, _METHOD, params):
            return None
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._desk.ask(ask.session, Question(_METHOD, params), reply.note)
            return {"accept": True, "decline": False, "cancel": False}.get(_action(answer.result))
        except TimeoutError:
            return None


def is_person(grant: Grant) -> bool:
    """Whether a person is at the other end: an agent that calls for somebody would answer in their place."""
    return grant.caller.depth == 0 and grant.caller.actor.startswith("user:")


def _words(grant: Grant, arguments: bytes) -> str:
    return f"Allow {grant.action} of {visible(grant.resource)}, this once, with {preview(arguments)}?"


def _action(result: Raw) -> str:
    try:
        return msgspec.json.decode(result, type=_Result).action if bytes(result) else ""
    except msgspec.DecodeError:
        return ""
