"""OpenAI-compatible chat completions."""

import json

from tests.llm_gateway.matrix.upstream import TOKENS_IN, TOKENS_OUT, Calls
from tests.support import providers
from tests.support.providers import REAL_MODEL, Behaviour, Call, Json

_USAGE = {
    "prompt_tokens": TOKENS_IN,
    "completion_tokens": TOKENS_OUT,
    "total_tokens": TOKENS_IN + TOKENS_OUT,
    "prompt_tokens_details": {"cached_tokens": 12},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


class ChatUpstream:
    kind = "openai_compatible"
    signs = False

    def section(self, base_url: str) -> Json:
        return {"kind": self.kind, "base_url": base_url}

    def says(self, text: str = "", *, thinking: str = "", calls: Calls = ()) -> Behaviour:
        message: Json = {"role": "assistant", "content": text or None}
        if thinking:
            message["reasoning_content"] = thinking
        if calls:
            message["tool_calls"] = [
                {
                    "id": call,
                    "type": "function",
                    "function": {"name": name, "arguments": json.dumps(arguments)},
                }
                for call, name, arguments in calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": REAL_MODEL,
            "choices": [choice],
            "usage": _USAGE,
        }
        return providers.whole(json.dumps(body).encode())

    def streams(self, *pieces: str) -> Behaviour:
        return providers.stream(*pieces, usage=_USAGE)

    def cuts(self, *pieces: str) -> Behaviour:
        events = providers.events(pieces, counted=True)[: len(pieces) + 1]
        return providers.sending(events, then=providers.cut)

    def refuses(self, status: int, message: str) -> Behaviour:
        return providers.error(status, message=message, retry_after=7 if status == 429 else None)

    def image(self, call: Call) -> str:
        [url] = [
            part["image_url"]["url"]
            for message in call.json["messages"]
            for part in (message["content"] if isinstance(message["content"], list) else [])
            if part["type"] == "image_url"
        ]
        return str(url).partition("base64,")[2]

    def schema(self, call: Call) -> Json:
        found: Json = call.json["response_format"]["json_schema"]["schema"]
        return found

    def tool(self, call: Call) -> Json:
        found: Json = call.json["tools"][0]["function"]["parameters"]
        return found

    def results(self, call: Call) -> list[str]:
        return [message["content"] for message in call.json["messages"] if message["role"] == "tool"]

    def signatures(self, call: Call) -> list[str]:
        return []
