"""Callers' contents as neutral messages: neighbours of one role joined, calls and their results tied
together.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from llm_gateway.chat.parts import AnyPart, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Message, Role
from llm_gateway.formats.gemini import parts
from shared.errors import BadRequest

_ROLES: dict[str, Role] = {
    "": "user",
    "user": "user",
    "function": "user",
    "tool": "user",
    "model": "assistant",
    "system": "system",
}


def messages(contents: Any) -> tuple[Message, ...]:
    """Raises BadRequest, naming the part."""
    calls = _Calls()
    joined: list[tuple[Role, list[AnyPart]]] = []
    for place, content in enumerate(_listed(contents, "contents")):
        role = _role(content, f"contents[{place}]")
        found = _parts(content, f"contents[{place}]")
        if not joined or joined[-1][0] != role:
            joined.append((role, []))
        for part in calls.tied(found):
            _join(joined[-1][1], part, assistant=role == "assistant")
    return tuple(Message(role=role, parts=tuple(found)) for role, found in joined if found)


def instruction(content: Any) -> tuple[Message, ...]:
    """The system instruction, which some write as bare text. Raises BadRequest."""
    if isinstance(content, str):
        content = {"parts": [{"text": content}]}
    found = tuple(_parts(content, "systemInstruction"))
    return (Message(role="system", parts=found),) if found else ()


class _Calls:
    """Gives calls an id where they have none, and results their call's: by id, else the first call of that
    name which has no result yet.
    """

    def __init__(self) -> None:
        self._open: list[ToolCall] = []
        self._count = 0

    def tied(self, found: Iterable[AnyPart]) -> Iterator[AnyPart]:
        for part in found:
            if isinstance(part, ToolCall):
                yield self._opened(part)
            elif isinstance(part, ToolResult):
                yield self._answered(part)
            else:
                yield part

    def _opened(self, call: ToolCall) -> ToolCall:
        self._count += 1
        call = call if call.id else msgspec.structs.replace(call, id=f"call_{self._count}")
        self._open.append(call)
        return call

    def _answered(self, result: ToolResult) -> ToolResult:
        by_id = (call for call in self._open if result.call_id and call.id == result.call_id)
        by_name = (call for call in self._open if call.name == result.name)
        call = next(by_id, None) or next(by_name, None)
        if call is None:
            raise BadRequest(
                f"the functionResponse of {result.name[:64]!r} answers no functionCall before it",
                data={"param": "contents"},
            )
        self._open.remove(call)
        return msgspec.structs.replace(result, call_id=call.id, name=call.name)


def _join(found: list[AnyPart], part: AnyPart, *, assistant: bool) -> None:
    """Puts a part to the others. Streams cut what a model says into parts, and clients send them back so:
    texts become one again, and thoughts up to the one that bears their signature.
    """
    last = found[-1] if found else None
    if assistant and isinstance(last, Text) and isinstance(part, Text):
        found[-1] = Text(text=last.text + part.text)
    elif _goes_on(last) and isinstance(part, Thinking) and not part.redacted:
        assert isinstance(last, Thinking)
        found[-1] = msgspec.structs.replace(part, text=last.text + part.text)
    else:
        found.append(part)


def _goes_on(last: AnyPart | None) -> bool:
    return isinstance(last, Thinking) and not last.signature


def _role(content: Any, path: str) -> Role:
    given = content.get("role", "") if isinstance(content, dict) else ""
    role = _ROLES.get(given) if isinstance(given, str) else None
    if role is None:
        raise BadRequest(f"{path}.role must be user or model", data={"param": f"{path}.role"})
    return role


def _parts(content: Any, path: str) -> list[AnyPart]:
    if not isinstance(content, dict):
        raise BadRequest(f"{path} must be an object with parts", data={"param": path})
    found: list[AnyPart] = []
    for place, fields in enumerate(_listed(content.get("parts", []), f"{path}.parts")):
        try:
            found += parts.neutral(fields)
        except (ValueError, RecursionError) as error:
            where = f"{path}.parts[{place}]"
            raise BadRequest(f"{where}: {told(error)}", cause=error, data={"param": where}) from error
    return found


def _listed(value: Any, path: str) -> list[Any]:
    """Google's servers take an object for a list of one."""
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise BadRequest(f"{path} must be a list", data={"param": path})
    return value


def told(error: Exception) -> str:
    """A decoder's complaint as part of a sentence."""
    what = str(error)[:200].replace(" - at `$`", "").replace("`$.", "`")
    return f"{what[:1].lower()}{what[1:]}"
