"""The `response` object that clients of Responses see: what they asked for once more, and what came of it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from llm_gateway.ask import Ask
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.openai_responses.usage import usage_said
from shared.ledger.entry import Usage

Json = dict[str, Any]
# What is told where the caller has said nothing.
_TOLD: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE = {Stop.LENGTH: "max_output_tokens", Stop.FILTERED: "content_filter"}


class Response:
    """In progress until `end` closes it. Its id is ours: whoever comes back with it comes here."""

    def __init__(self, ask: Ask, model: str, created: int) -> None:
        self._fields: Json = {
            "id": ask.id,
            "object": "response",
            "created_at": created,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": [],
            "usage": None,
        } | {name: _echo(ask, name, otherwise) for name, otherwise in _TOLD.items()}

    @property
    def fields(self) -> Json:
        return self._fields

    def end(self, stop: Stop, output: Sequence[Json], usage: Usage | None) -> None:
        reason = _INCOMPLETE.get(stop)
        self._fields["status"] = "incomplete" if reason else "completed"
        self._fields["incomplete_details"] = {"reason": reason} if reason else None
        self._fields["output"] = list(output)
        self._fields["usage"] = usage_said(usage) if usage is not None else None

    @property
    def status(self) -> str:
        found: str = self._fields["status"]
        return found

    def encoded(self) -> bytes:
        return msgspec.json.encode(self._fields)


def _echo(ask: Ask, name: str, otherwise: object) -> object:
    place = ask.spans.get(name)
    given = ask.body[slice(*place)] if place is not None else b"null"
    return otherwise if given == b"null" else Raw(given)
