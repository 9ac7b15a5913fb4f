"""Neutral messages as the contents a provider gets: user and model in turn, results after their calls."""

import mimetypes
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import msgspec

from llm_gateway.chat.parts import AnyPart, File, Foreign, Image, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, Message
from llm_gateway.formats.gemini import written
from llm_gateway.formats.gemini.signature import ORIGIN
from shared.errors import BadRequest

Fields = dict[str, Any]
# Ids of our own making: Gemini has given none.
MADE_UP = "gcall_"
# What Google tells to put where a call of a newer model's history came from elsewhere and is not signed.
_UNSIGNED = "skip_thought_signature_validator"
_KNOWN_PLACES = ("gs://", "https://generativelanguage.googleapis.com/")


class Turns:
    """`generation` is the model's: from 3 on calls must be signed, and results may hold images. `dropped`
    are the names of what could not be said.
    """

    def __init__(self, chat: Chat, generation: float) -> None:
        self.dropped: list[str] = []
        self.contents: list[Fields] = []
        self._native = chat.origin == ORIGIN
        self._generation = generation
        self._calls: dict[str, tuple[int, ToolCall]] = {}
        spoken = [message for message in chat.messages if message.role != "system"]
        self.system = self._said(message for message in chat.messages if message.role == "system")
        for role, neighbours in groupby(spoken, key=lambda message: message.role):
            self._add("model" if role == "assistant" else "user", self._said(neighbours))
        if self.system and not self.contents:
            # Gemini answers nobody who only instructs.
            self.contents, self.system = [{"role": "user", "parts": self.system}], []

    def _add(self, role: str, found: list[Fields]) -> None:
        if role == "model" and self._generation >= 3:
            _signed(found)
        if found:
            self.contents.append({"role": role, "parts": found})

    def _said(self, messages: Iterable[Message]) -> list[Fields]:
        given: list[AnyPart] = []
        for message in messages:
            given += message.parts
            if message.name:
                self._drop("messages.name")
        return self._parts(given)

    def _parts(self, given: Iterable[AnyPart]) -> list[Fields]:
        found: list[Fields] = []
        for part in self._in_order(given):
            if part.cache_point:
                self._drop("cache_point")
            if isinstance(part, ToolResult):
                found += self._result(part)
            elif fields := self._part(part):
                found.append(fields)
        return found

    def _in_order(self, given: Iterable[AnyPart]) -> list[AnyPart]:
        """Results in the order of their calls, which tells two of one name apart; the rest after them."""
        parts = list(given)
        results = [part for part in parts if isinstance(part, ToolResult)]
        if not results:
            return parts
        results.sort(key=lambda result: self._calls.get(result.call_id, (0, None))[0])
        return [*results, *(part for part in parts if not isinstance(part, ToolResult))]

    def _part(self, part: AnyPart) -> Fields | None:
        if isinstance(part, ToolCall):
            return self._call(part)
        if isinstance(part, Thinking):
            return self._thinking(part)
        if isinstance(part, Image | File):
            return self._attached(part)
        if isinstance(part, Text) and not part.text:
            return None
        fields = written.part(part)
        if fields is None and isinstance(part, Foreign):
            self._drop(part.kind)
        return fields

    def _call(self, call: ToolCall) -> Fields:
        self._calls[call.id] = (len(self._calls), call)
        try:
            fields: Fields = {"name": call.name, "args": written.arguments(call)}
        except (ValueError, RecursionError) as error:
            raise BadRequest(
                f"the arguments of the tool call {call.id[:64]!r} are no JSON object", cause=error
            ) from error
        found: Fields = {"functionCall": fields | _identity(call.id)}
        if call.signature and call.origin == ORIGIN:
            found["thoughtSignature"] = call.signature
        elif call.signature:
            self._drop("tool_call.signature")
        return found

    def _thinking(self, part: Thinking) -> Fields | None:
        if part.origin == ORIGIN:
            return written.thinking(part)
        if part.signature:
            self._drop("thinking.signature")
        return {"text": part.text, "thought": True} if part.text and not part.redacted else None

    def _result(self, result: ToolResult) -> list[Fields]:
        call = self._calls.get(result.call_id, (0, None))[1]
        name = call.name if call else result.name
        if not name:
            raise BadRequest(f"no tool call before it has the id {result.call_id[:64]!r} that a result names")
        seen = (self._part(part) for part in result.content if not isinstance(part, Text))
        shown = [part for part in seen if part]
        fields: Fields = {"name": name, "response": _response(result)} | _identity(result.call_id)
        if shown and self._generation >= 3:
            fields["parts"], shown = shown, []
        return [{"functionResponse": fields}, *shown]

    def _attached(self, part: Image | File) -> Fields | None:
        kind = "image" if isinstance(part, Image) else "file"
        if isinstance(part, Image) and part.detail in ("low", "high"):
            self._drop("image.detail")
        if part.url and not (self._native or part.url.startswith(_KNOWN_PLACES)):
            self._drop(f"{kind}.url")
            return None
        if not (part.url or part.data):
            self._drop(f"{kind}.id")
            return None
        return written.attached(msgspec.structs.replace(part, media_type=_media_type(part)))

    def _drop(self, name: str) -> None:
        if name not in self.dropped:
            self.dropped.append(name)


def _identity(call_id: str) -> Fields:
    return {"id": call_id} if call_id and not call_id.startswith(MADE_UP) else {}


def _response(result: ToolResult) -> Fields:
    """Gemini wants an object: the tool's own where it gave one, else its words as `output` or `error`."""
    text = "\n".join(part.text for part in result.content if isinstance(part, Text))
    if result.is_error:
        return {"error": text}
    if text.lstrip().startswith("{"):
        try:
            found: Fields = msgspec.json.decode(text, type=dict[str, Any])
        except (ValueError, RecursionError):
            return {"output": text}
        return found
    return {"output": text}


def _signed(found: list[Fields]) -> None:
    """The first call of a turn must be signed, and only that one always is."""
    first = next((fields for fields in found if "functionCall" in fields), None)
    if first is not None:
        first.setdefault("thoughtSignature", _UNSIGNED)


def _media_type(part: Image | File) -> str:
    if part.media_type:
        return part.media_type
    name = part.name if isinstance(part, File) else part.url
    guess = mimetypes.guess_type(name)[0]
    return guess or ("image/png" if isinstance(part, Image) and part.data else "")
