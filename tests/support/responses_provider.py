"""A provider that speaks Responses itself: behaviours for `tests/support/providers.py`, and their bytes."""

from typing import Any

import msgspec

from tests.support.providers import REAL_MODEL, Behaviour, Call, Json, sending, whole

ID = "resp_0123456789abcdef"
USAGE: Json = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 12, "cache_write_tokens": 0},
    "output_tokens": 8,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 28,
}


def message(text: str = "Hello there", *, id: str = "msg_1", status: str = "completed") -> Json:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {"id": id, "type": "message", "role": "assistant", "status": status, "content": content}


def call(name: str, arguments: str, *, call_id: str = "call_1", id: str = "fc_1") -> Json:
    return {
        "id": id,
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def reasoning(*summary: str, content: str | None = None, id: str = "rs_1") -> Json:
    item: Json = {"id": id, "type": "reasoning", "summary": [_summary(text) for text in summary]}
    return item | ({"encrypted_content": content} if content is not None else {})


def response(*output: Json, id: str = ID, status: str = "completed", **more: Any) -> Json:
    return {
        "id": id,
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": REAL_MODEL,
        "output": list(output or (message(),)),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": USAGE,
    } | more


def events(*output: Json, id: str = ID, status: str = "completed", **more: Any) -> list[Json]:
    """A whole stream's events: each text in two pieces."""
    done = response(*output, id=id, status=status, **more)
    started = done | {"status": "in_progress", "output": [], "usage": None}
    found: list[Json] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
    ]
    for place, item in enumerate(done["output"]):
        found += [event | {"output_index": place} for event in _item_events(item)]
    found.append({"type": f"response.{status}", "response": done})
    return [event | {"sequence_number": number} for number, event in enumerate(found)]


def wire(items: list[Json]) -> bytes:
    return b"".join(
        f"event: {item['type']}\n".encode() + b"data: " + msgspec.json.encode(item) + b"\n\n"
        for item in items
    )


def answering(*output: Json, **more: Any) -> Behaviour:
    """Answers like OpenAI: as a stream where one was asked for."""
    body, streamed = msgspec.json.encode(response(*output, **more)), wire(events(*output, **more))

    async def behave(called: Call) -> None:
        await (sending([streamed]) if called.json.get("stream") else whole(body))(called)

    return behave


def _item_events(item: Json) -> list[Json]:
    known = {"item_id": item["id"]}
    if item["type"] == "message":
        begun = item | {"content": [], "status": "in_progress"}
        inner = [
            event | known | {"content_index": place}
            for place, part in enumerate(item["content"])
            for event in _content_events(part)
        ]
    elif item["type"] == "reasoning":
        begun = item | {"summary": []}
        inner = [
            event | known | {"summary_index": place}
            for place, part in enumerate(item["summary"])
            for event in _summary_events(part)
        ]
    elif item["type"] == "function_call":
        begun = item | {"arguments": "", "status": "in_progress"}
        kind = "response.function_call_arguments"
        inner = [event | known for event in _pieces(kind, item["arguments"], "arguments")]
    else:
        begun, inner = item, []
    added = {"type": "response.output_item.added", "item": begun}
    return [added, *inner, {"type": "response.output_item.done", "item": item}]


def _content_events(part: Json) -> list[Json]:
    field = "text" if part["type"] == "output_text" else "refusal"
    kind = "response.output_text" if field == "text" else "response.refusal"
    return [
        {"type": "response.content_part.added", "part": part | {field: ""}},
        *[
            event | ({"logprobs": []} if field == "text" else {})
            for event in _pieces(kind, part[field], field)
        ],
        {"type": "response.content_part.done", "part": part},
    ]


def _summary_events(part: Json) -> list[Json]:
    return [
        {"type": "response.reasoning_summary_part.added", "part": _summary("")},
        *_pieces("response.reasoning_summary_text", part["text"], "text"),
        {"type": "response.reasoning_summary_part.done", "part": part},
    ]


def _pieces(kind: str, text: str, field: str) -> list[Json]:
    half = len(text) // 2
    pieces = [{"type": f"{kind}.delta", "delta": piece} for piece in (text[:half], text[half:]) if piece]
    return [*pieces, {"type": f"{kind}.done", field: text}]


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}
