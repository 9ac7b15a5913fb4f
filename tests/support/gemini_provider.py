"""Behaviours for a ScriptedProvider that speaks Gemini's wire as Google writes it: pretty-printed replies,
events that end with CR LF twice, usage in every one of them, errors as google.rpc.Status.
"""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.providers import REAL_MODEL, Behaviour, Call, whole

Json = dict[str, Any]

USAGE: Json = {
    "promptTokenCount": 20,
    "candidatesTokenCount": 5,
    "totalTokenCount": 28,
    "cachedContentTokenCount": 12,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
    "thoughtsTokenCount": 3,
}
SIGNATURE = "CiQBcsjafM9v+Kp/2Hw0b2YxN1o="
JSON_TYPE = "application/json; charset=UTF-8"


def text(words: str) -> Json:
    return {"text": words}


def thought(words: str, signature: str = "") -> Json:
    fields: Json = {"text": words, "thought": True}
    return fields | {"thoughtSignature": signature} if signature else fields


def call(name: str, args: Json, *, call_id: str = "", signature: str = "") -> Json:
    fields: Json = {"name": name, "args": args} | ({"id": call_id} if call_id else {})
    return {"functionCall": fields} | ({"thoughtSignature": signature} if signature else {})


def answer(
    parts: Sequence[Json],
    *,
    finish: str | None = "STOP",
    usage: Json | None = USAGE,
    response_id: str = "resp-1",
) -> Json:
    """One GenerateContentResponse."""
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    counted = {"usageMetadata": usage} if usage is not None else {}
    return {"candidates": [candidate], **counted, "modelVersion": REAL_MODEL, "responseId": response_id}


def blocked(reason: str = "PROHIBITED_CONTENT") -> Json:
    counted = {"promptTokenCount": 20, "totalTokenCount": 20}
    return {
        "promptFeedback": {"blockReason": reason},
        "usageMetadata": counted,
        "modelVersion": REAL_MODEL,
        "responseId": "resp-1",
    }


def written(fields: Json) -> bytes:
    return json.dumps(fields, indent=2).encode() + b"\n"


def event(fields: Json) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\r\n\r\n"


def events(
    parts: Sequence[Json], *, finish: str = "STOP", usage: Json = USAGE, response_id: str = "resp-1"
) -> list[bytes]:
    """A whole stream: a part in each event, the last with the reason; counts grow on the way."""
    early = {"promptTokenCount": usage["promptTokenCount"], "totalTokenCount": usage["promptTokenCount"]}
    running = [
        event(answer([part], finish=None, usage=early, response_id=response_id)) for part in parts[:-1]
    ]
    return [*running, event(answer(parts[-1:], finish=finish, usage=usage, response_id=response_id))]


def replying(*parts: Json, finish: str = "STOP", response_id: str = "resp-1") -> Behaviour:
    """One answer or a stream of these parts, as the address asks."""

    async def behave(provider_call: Call) -> None:
        given = parts or (text("Hello there"),)
        if ":streamGenerateContent" not in provider_call.path:
            body = written(answer(given, finish=finish, response_id=response_id))
            await provider_call.reply(200, body, {"content-type": JSON_TYPE})
            return
        assert provider_call.path.endswith("?alt=sse"), provider_call.path
        await provider_call.start()
        for each in events(given, finish=finish, response_id=response_id):
            await provider_call.send(each)
        await provider_call.end()

    return behave


def refusing(
    code: int, status: str, message: str = "scripted", *, retry: str = "", reason: str = ""
) -> Behaviour:
    return whole(
        written(error(code, status, message, retry=retry, reason=reason)),
        status=code,
        headers={"content-type": JSON_TYPE},
    )


def error(code: int, status: str, message: str = "scripted", *, retry: str = "", reason: str = "") -> Json:
    kind = "type.googleapis.com/google.rpc."
    details: list[Json] = []
    if reason:
        details.append({"@type": kind + "ErrorInfo", "reason": reason, "domain": "googleapis.com"})
    if retry:
        details.append({"@type": kind + "RetryInfo", "retryDelay": retry})
    fields: Json = {"code": code, "message": message, "status": status}
    return {"error": fields | ({"details": details} if details else {})}
