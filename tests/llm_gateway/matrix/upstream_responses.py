"""OpenAI Responses, of a provider that speaks it natively (and chat completions only on paper)."""

import json

from tests.llm_gateway.matrix.upstream import TOKENS_IN, TOKENS_OUT, Calls
from tests.support import providers
from tests.support.providers import REAL_MODEL, Behaviour, Call, Json

_USAGE = {
    "input_tokens": TOKENS_IN,
    "input_tokens_details": {"cached_tokens": 12},
    "output_tokens": TOKENS_OUT,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": TOKENS_IN + TOKENS_OUT,
}


class ResponsesUpstream:
    kind = "openai_responses"
    signs = True

    def section(self, base_url: str) -> Json:
        return {"base_url": base_url, "wires": ["openai_responses"]}

    def says(self, text: str = "", *, thinking: str = "", calls: Calls = ()) -> Behaviour:
        output: list[Json] = []
        if thinking:
            summary = [{"type": "summary_text", "text": thinking}]
            output.append(
                {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "Z0FBQUE="}
            )
        if text:
            output.append(_message(text))
        output += [
            {
                "id": f"fc_{call}",
                "type": "function_call",
                "call_id": call,
                "name": name,
                "arguments": json.dumps(arguments),
                "status": "completed",
            }
            for call, name, arguments in calls
        ]
        return providers.whole(json.dumps(_response(output)).encode())

    def streams(self, *pieces: str) -> Behaviour:
        return providers.sending(_events(pieces))

    def cuts(self, *pieces: str) -> Behaviour:
        return providers.sending(_events(pieces)[: 4 + len(pieces)], then=providers.cut)

    def refuses(self, status: int, message: str) -> Behaviour:
        return providers.error(status, message=message, retry_after=7 if status == 429 else None)

    def image(self, call: Call) -> str:
        [url] = [
            part["image_url"]
            for item in call.json["input"]
            for part in (item["content"] if isinstance(item.get("content"), list) else [])
            if part["type"] == "input_image"
        ]
        return str(url).partition("base64,")[2]

    def schema(self, call: Call) -> Json:
        found: Json = call.json["text"]["format"]["schema"]
        return found

    def tool(self, call: Call) -> Json:
        found: Json = call.json["tools"][0]["parameters"]
        return found

    def results(self, call: Call) -> list[str]:
        return [item["output"] for item in _items(call, "function_call_output")]

    def signatures(self, call: Call) -> list[str]:
        return [item["encrypted_content"] for item in _items(call, "reasoning")]


def _items(call: Call, kind: str) -> list[Json]:
    return [item for item in call.json["input"] if item.get("type") == kind]


def _message(text: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}


def _response(output: list[Json], status: str = "completed") -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": REAL_MODEL,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _USAGE if status == "completed" else None,
    }


def _events(pieces: tuple[str, ...]) -> list[bytes]:
    """A whole stream with one text, as OpenAI sends it."""
    begun = _response([], "in_progress")
    text, item = "".join(pieces), {**_message(""), "status": "in_progress", "content": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    told: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *(
            {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
            for piece in pieces
        ),
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part | {"text": text}},
        {"type": "response.output_item.done", "output_index": 0, "item": _message(text)},
        {"type": "response.completed", "response": _response([_message(text)])},
    ]
    return [
        f"event: {each['type']}\ndata: {json.dumps(each | {'sequence_number': number})}\n\n".encode()
        for number, each in enumerate(told)
    ]
