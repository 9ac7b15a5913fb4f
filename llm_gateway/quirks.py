"""In what a provider's idea of OpenAI's chat completions differs from OpenAI's (and a place's of Anthropic's
format), and a request changed so that it fits. What has to be left out is named.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway import members
from llm_gateway.formats import Outbound
from shared.asgi import Headers

_WIRE, _VERSIONED = "openai_chat", "anthropic"
_FIRST_VERSION = "2023-06-01"
# Members that the neutral form knows under another name.
_NAMES = {
    "parallel_tool_calls": "tool_choice.parallel",
    "reasoning_effort": "reasoning.effort",
    "response_format": "output",
    "top_logprobs": "logprobs",
}
_SAME = frozenset(
    ("frequency_penalty", "logprobs", "metadata", "n", "presence_penalty", "seed", "service_tier", "user")
)
# Values that ask for nothing: leaving them out loses nothing.
_IDLE = {
    "n": b"1",
    "logprobs": b"false",
    "top_logprobs": b"0",
    "presence_penalty": b"0",
    "frequency_penalty": b"0",
    "parallel_tool_calls": b"true",
    "store": b"false",
    "service_tier": b'"auto"',
    "logit_bias": b"{}",
    "metadata": b"{}",
    # Who takes no options counts unasked.
    "stream_options": b'{"include_usage":true}',
}
_FLAG_MARKS = {
    "system_role": b'"developer"',
    "nameless": b'"name"',
    "schema_only": b'"json_object"',
    "object_only": b'"json_schema"',
}
_decode_messages = msgspec.json.Decoder(list[dict[str, Any]]).decode
_Members = dict[str, bytes]


class Quirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`renames` and `removes`: members that it knows by another name, or refuses, or passes over in
    silence.

    In messages: `system_role` it knows no role `developer`, `nameless` it takes no names of speakers,
    `flat_text` it wants text as a string and not as a list of parts, `alternate` no two of one role may
    follow each other. Of JSON it can do `schema_only`, or `object_only`.
    """

    renames: dict[str, str] = {}
    removes: tuple[str, ...] = ()
    system_role: bool = False
    nameless: bool = False
    flat_text: bool = False
    alternate: bool = False
    schema_only: bool = False
    object_only: bool = False


class VersionInBody(Quirks, frozen=True, kw_only=True):
    """Of Anthropic's format, and no operator's to say: its version stands in the body, where the first one is
    called `first`, and the model does not.
    """

    first: str


def fitted(quirks: Quirks | None, wire: str, outbound: Outbound, passed: Headers = ()) -> Outbound:
    """`outbound` itself where nothing has to change, which is nearly always seen without reading it. `passed`
    are those of the caller's headers that go on.
    """
    if quirks is None:
        return outbound
    if wire == _VERSIONED and isinstance(quirks, VersionInBody):
        version = _spoken(passed) or quirks.first
        return msgspec.structs.replace(outbound, body=_versioned(version, outbound.body))
    if wire != _WIRE or not _concerned(quirks, outbound.body):
        return outbound
    found = {name: bytes(raw) for name, raw in _decode(outbound.body).items()}
    changed, dropped = dict(found), list[str]()
    _take_out(changed, quirks, dropped)
    for name, known in quirks.renames.items():
        if (value := changed.pop(name, None)) is not None:
            changed.setdefault(known, value)
    if "messages" in changed:
        changed["messages"] = _messages(changed["messages"], quirks, dropped)
    if changed == found:
        return outbound
    return Outbound(body=_encoded(changed), dropped=(*outbound.dropped, *dict.fromkeys(dropped)))


def _decode(body: bytes) -> dict[str, Raw]:
    return members.read(body)[0]


def _spoken(passed: Headers) -> str:
    """The version that the caller speaks, empty for the first one."""
    found = next((value.decode("latin-1") for name, value in passed if name == b"anthropic-version"), "")
    return "" if found == _FIRST_VERSION else found


def _versioned(version: str, body: bytes) -> bytes:
    found = {name: bytes(raw) for name, raw in _decode(body).items() if name != "model"}
    return _encoded({**found, "anthropic_version": msgspec.json.encode(version)})


def _concerned(quirks: Quirks, body: bytes) -> bool:
    return quirks.flat_text or quirks.alternate or any(mark in body for mark in _marks(quirks))


def _marks(quirks: Quirks) -> Iterator[bytes]:
    """What a body holds if it may have to change."""
    yield from (f'"{name}"'.encode() for name in (*quirks.renames, *quirks.removes))
    yield from (mark for flag, mark in _FLAG_MARKS.items() if getattr(quirks, flag))


def _take_out(found: _Members, quirks: Quirks, dropped: list[str]) -> None:
    """Takes out what the provider does not do. `dropped` gets the names of what the caller loses by that."""
    for name in quirks.removes:
        value = found.pop(name, b"null")
        if value not in (b"null", _IDLE.get(name)):
            dropped.append(_neutral(name))
    output = found.get("response_format", b"")
    if quirks.schema_only and b'"json_object"' in output:
        del found["response_format"]
        dropped.append("output")
    elif quirks.object_only and b'"json_schema"' in output:
        found["response_format"] = b'{"type":"json_object"}'
        dropped.append("output.schema")


def _neutral(name: str) -> str:
    return _NAMES.get(name) or (name if name in _SAME else f"extra.{name}")


def _messages(raw: bytes, quirks: Quirks, dropped: list[str]) -> bytes:
    """Says the same in messages of the kind that the provider takes; `raw` itself where they are already."""
    if not (quirks.system_role or quirks.nameless or quirks.flat_text or quirks.alternate):
        return raw
    try:
        given = _decode_messages(raw)
    except (ValueError, RecursionError):
        return raw  # It is the provider who knows what is wrong with them.
    messages = [_message(message, quirks, dropped) for message in given]
    if quirks.alternate:
        messages = _joined(messages)
    return raw if messages == given else msgspec.json.encode(messages)


def _message(message: dict[str, Any], quirks: Quirks, dropped: list[str]) -> dict[str, Any]:
    told = dict(message)
    if quirks.system_role and told.get("role") == "developer":
        told["role"] = "system"
    if quirks.nameless and told.pop("name", None) is not None:
        dropped.append("message.name")
    content = told.get("content")
    if quirks.flat_text and isinstance(content, list) and (text := _flat(content)) is not None:
        told["content"] = text
    return told


def _flat(parts: list[Any]) -> str | None:
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    whole = len(texts) == len(parts) and all(isinstance(text, str) for text in texts)
    return "\n".join(str(text) for text in texts) if whole else None


def _joined(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbours of one role become one message, where both are nothing but text."""
    joined: list[dict[str, Any]] = []
    for message in messages:
        last = joined[-1] if joined else {}
        if _plain(last) and _plain(message) and last["role"] == message["role"]:
            joined[-1] = {**last, "content": f"{last['content']}\n\n{message['content']}"}
        else:
            joined.append(message)
    return joined


def _plain(message: dict[str, Any]) -> bool:
    return message.keys() == {"role", "content"} and isinstance(message["content"], str)


def _encoded(found: _Members) -> bytes:
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in found.items()) + b"}"
