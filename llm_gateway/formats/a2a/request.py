"""A conversation as one message to an agent. An agent keeps its conversations itself: with
`metadata.context_id` only what is new goes there, else all of it, told in one text.
"""

from typing import Any

import msgspec

from llm_gateway.chat.parts import AnyPart, Audio, File, Image, Refusal, Text, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, Message
from llm_gateway.formats import Outbound
from shared import jsonrpc
from shared.errors import BadRequest
from shared.ledger.entry import new_id

Json = dict[str, Any]
CONTEXT = "context_id"
_WORDLESS: tuple[tuple[type[AnyPart], str], ...] = ((Image, "an image"), (File, "a file"), (Audio, "audio"))


def request(chat: Chat) -> Outbound:
    """Raises BadRequest where there is nothing to say, or a tool of the caller's must be called."""
    if chat.tool_choice is not None and chat.tool_choice.mode in ("any", "named"):
        raise BadRequest(
            "tool_choice: an agent calls no tools of its caller's", data={"param": "tool_choice"}
        )
    dropped: list[str] = []
    earlier, last = _divided(chat.messages)
    context = chat.metadata.get(CONTEXT, "")
    parts = [_part(part, dropped) for part in last.parts]
    if earlier and not context:
        parts.insert(0, {"text": "\n\n".join(_told(message) for message in earlier)})
    message: Json = {
        "messageId": new_id(),
        "role": "ROLE_USER",
        "parts": [part for part in parts if part is not None],
    }
    if not message["parts"]:
        raise BadRequest("messages: must end with something to say", data={"param": "messages"})
    if context:
        message["contextId"] = context
    method = "SendStreamingMessage" if chat.stream else "SendMessage"
    body = jsonrpc.request(b'"1"', method, msgspec.json.encode({"message": message}))
    return Outbound(body=body, dropped=tuple(dict.fromkeys((*dropped, *_unsayable(chat)))))


def _divided(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], Message]:
    """What was said before, and what is said now. Raises BadRequest."""
    if not messages:
        raise BadRequest("messages: must hold a message with content", data={"param": "messages"})
    return messages[:-1], messages[-1]


def _part(part: AnyPart, dropped: list[str]) -> Json | None:
    if isinstance(part, Image | Audio | File):
        return _file(part, dropped)
    words = _words(part)
    return {"text": words} if words else None


def _file(part: Image | Audio | File, dropped: list[str]) -> Json | None:
    url = "" if isinstance(part, Audio) else part.url
    named: Json = {"mediaType": part.media_type} if part.media_type else {}
    if isinstance(part, File) and part.name:
        named["filename"] = part.name
    if part.data:
        return {"raw": part.data, **named}
    if url:
        return {"url": url, **named}
    # A file of some provider's account, which no agent can read.
    dropped.append("messages.file")
    return None


def _told(message: Message) -> str:
    said = [words for part in message.parts if (words := _words(part) or _named(part))]
    return f"{message.role}: " + "\n".join(said)


def _words(part: AnyPart) -> str:
    if isinstance(part, Text | Refusal):
        return part.text
    if isinstance(part, ToolCall):
        return f"(called {part.name} with {part.arguments})"
    if isinstance(part, ToolResult):
        found = "\n".join(each.text for each in part.content if isinstance(each, Text))
        return f"(result of {part.name or part.call_id}: {found})"
    return ""


def _named(part: AnyPart) -> str:
    """What cannot be repeated in words is mentioned."""
    return next((f"({words})" for kind, words in _WORDLESS if isinstance(part, kind)), "")


def _unsayable(chat: Chat) -> list[str]:
    asked = {
        "tools": bool(chat.tools),
        "response_format": chat.output.kind != "text",
        "reasoning": chat.reasoning is not None,
        "max_tokens": chat.max_tokens is not None,
        "temperature": chat.temperature is not None,
        "top_p": chat.top_p is not None,
        "top_k": chat.top_k is not None,
        "stop": bool(chat.stop),
        "seed": chat.seed is not None,
        "presence_penalty": bool(chat.presence_penalty),
        "frequency_penalty": bool(chat.frequency_penalty),
        "n": chat.n > 1,
        "logprobs": chat.logprobs is not None,
    }
    return [name for name, wanted in asked.items() if wanted]
