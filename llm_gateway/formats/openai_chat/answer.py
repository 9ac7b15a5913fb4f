"""Answers as OpenAI's clients know them, whole: a `chat.completion` object."""

from collections.abc import Sequence
from typing import Any

import msgspec

from llm_gateway.ask import Ask
from llm_gateway.chat.parts import AnyPart, Image, Refusal, Text, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats.openai_chat.content import data_url
from llm_gateway.formats.openai_chat.thought import shown
from llm_gateway.formats.openai_chat.tools import call_said
from llm_gateway.formats.openai_chat.usage import usage_said
from shared.clock import Clock
from shared.ledger.entry import new_id

Json = dict[str, Any]
FINISH = {
    Stop.END: "stop",
    Stop.SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.TOOLS: "tool_calls",
    Stop.FILTERED: "content_filter",
    Stop.PAUSE: "stop",
}


def is_older(ask: Ask) -> bool:
    """Whether the caller gave `functions`, and so looks for a call of one in their older form."""
    return "functions" in ask.spans and "tools" not in ask.spans


def completion(reply: Reply, ask: Ask, clock: Clock) -> bytes:
    choice = {
        "index": 0,
        "message": _message(reply.parts, older=is_older(ask)),
        "logprobs": None,
        "finish_reason": finish(reply.stop, older=is_older(ask)),
    }
    body: Json = {
        "id": reply.id or f"chatcmpl-{new_id()}",
        "object": "chat.completion",
        "created": reply.created or int(clock.now()),
        "model": reply.model,
        "choices": [choice],
    }
    if reply.usage is not None:
        body["usage"] = usage_said(reply.usage)
    return msgspec.json.encode(body)


def finish(stop: Stop, *, older: bool) -> str:
    return "function_call" if older and stop is Stop.TOOLS else FINISH[stop]


def image_said(part: Image) -> Json:
    """Pictures made by a model have no place of OpenAI's own; clients that know them look for this one."""
    url = part.url or data_url(part.media_type or "image/png", part.data)
    return {"type": "image_url", "image_url": {"url": url}}


def _message(parts: Sequence[AnyPart], *, older: bool) -> Json:
    texts = [part.text for part in parts if isinstance(part, Text)]
    refusals = [part.text for part in parts if isinstance(part, Refusal)]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    message: Json = {
        "role": "assistant",
        "content": "".join(texts) if texts or not (calls or refusals) else None,
        "refusal": "".join(refusals) if refusals else None,
        "annotations": [],
    }
    if images := [image_said(part) for part in parts if isinstance(part, Image)]:
        message["images"] = images
    if calls and older:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
    elif calls:
        message["tool_calls"] = [call_said(call) for call in calls]
    return message | shown(parts)
