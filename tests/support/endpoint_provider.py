"""What a provider of OpenAI's endpoints next to chat says, for ScriptedProvider to say it: bodies, streams,
and a small one that keeps files and batches.
"""

import struct
from base64 import b64encode
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import msgspec

from tests.support.providers import REAL_MODEL, Behaviour, Call, Json, ScriptedProvider, sending, whole

TOKENS = {"prompt_tokens": 9, "total_tokens": 9}
IMAGE_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens": 200,
    "total_tokens": 250,
}
AUDIO_USAGE = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
    "output_tokens": 6,
    "total_tokens": 20,
}
Fields = dict[str, list[tuple[str | None, bytes]]]


def body(value: Any, **more: Any) -> Behaviour:
    return whole(msgspec.json.encode(value), **more)


def packed(*vector: float) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def embeddings(*vectors: list[float] | str, usage: Json | None = TOKENS) -> Behaviour:
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    found = {"object": "list", "data": data, "model": REAL_MODEL}
    return body(found if usage is None else {**found, "usage": usage})


def images(count: int = 1, usage: Json | None = None) -> Behaviour:
    data = [{"b64_json": "aW1hZ2U="} for _ in range(count)]
    return body({"created": 1_790_000_000, "data": data} | ({"usage": usage} if usage else {}))


def event(kind: str, **fields: Any) -> bytes:
    data = msgspec.json.encode({"type": kind, **fields})
    return f"event: {kind}\n".encode() + b"data: " + data + b"\n\n"


def image_events(kind: str = "image_generation", partial: int = 2) -> list[bytes]:
    shown = {
        "b64_json": "aW1hZ2U=",
        "background": "auto",
        "created_at": 1,
        "output_format": "png",
        "quality": "low",
        "size": "1024x1024",
    }
    found = [event(f"{kind}.partial_image", partial_image_index=n, **shown) for n in range(partial)]
    return [*found, event(f"{kind}.completed", usage=IMAGE_USAGE, **shown)]


def transcript_events(*pieces: str) -> list[bytes]:
    found = [event("transcript.text.delta", delta=piece) for piece in pieces]
    return [*found, event("transcript.text.done", text="".join(pieces), usage=AUDIO_USAGE)]


def sound(*chunks: bytes, kind: str = "audio/mpeg") -> Behaviour:
    """Bytes that come in pieces."""

    async def behave(call: Call) -> None:
        await call.start({"content-type": kind})
        for chunk in chunks:
            await call.send(chunk)
        await call.end()

    return behave


def text_completion(usage: Json | None = None) -> Json:
    choice = {"index": 0, "text": " there", "logprobs": None, "finish_reason": "stop"}
    found: Json = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": REAL_MODEL,
        "choices": [choice],
    }
    return found | ({"usage": usage} if usage else {})


def text_stream(*pieces: str, usage: Json) -> Behaviour:
    """A stream like OpenAI's: with a usage event only when it was asked for."""

    async def behave(call: Call) -> None:
        head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": REAL_MODEL}
        choices = [{"index": 0, "text": piece, "logprobs": None, "finish_reason": None} for piece in pieces]
        parts = [{**head, "choices": [choice]} for choice in choices]
        if (call.json.get("stream_options") or {}).get("include_usage"):
            parts.append({**head, "choices": [], "usage": usage})
        events = [b"data: " + msgspec.json.encode(part) + b"\n\n" for part in parts]
        await sending([*events, b"data: [DONE]\n\n"])(call)

    return behave


def form_of(call: Call) -> Fields:
    """The form as a reader that is not ours understands it: filename and bytes of every part by its name."""
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + call.body)
    found: Fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(value, bytes)
        found.setdefault(name, []).append((part.get_filename(), value))
    return found


class FileKeeper(ScriptedProvider):
    """Keeps files and batches like OpenAI, under ids that it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, tuple[Json, bytes]] = {}
        self.batches: dict[str, Json] = {}
        self.will(self.serve)

    def finish(self, **changes: Any) -> None:
        """All batches are over."""
        output = self._keep("output.jsonl", "batch_output", b'{"custom_id":"1"}\n')
        done = {"status": "completed", "completed_at": 3, "output_file_id": output["id"], **changes}
        for batch in self.batches.values():
            batch.update(done)

    async def serve(self, call: Call) -> None:
        answer = self._answer(call)
        if isinstance(answer, bytes):
            await call.reply(200, answer, {"content-type": "application/octet-stream"})
        elif answer is None:
            await call.reply(
                404, b'{"error":{"message":"no such thing","type":"x","code":null,"param":null}}'
            )
        else:
            await call.reply(200, msgspec.json.encode(answer))

    def _answer(self, call: Call) -> Json | bytes | None:
        kind, _, rest = call.path.removeprefix("/v1/").partition("/")
        name, _, what = rest.partition("/")
        if kind == "files":
            return self._file(call, name, what)
        return self._batch(call, name, what)

    def _file(self, call: Call, name: str, what: str) -> Json | bytes | None:
        if not name:
            form = form_of(call)
            [(filename, data)], [(_, purpose)] = form["file"], form["purpose"]
            return self._keep(filename or "", purpose.decode(), data)
        if name not in self.files:
            return None
        if call.method == "DELETE":
            del self.files[name]
            return {"id": name, "object": "file", "deleted": True}
        described, data = self.files[name]
        return data if what == "content" else described

    def _keep(self, filename: str, purpose: str, data: bytes) -> Json:
        name = f"file-{len(self.files) + 1}"
        described = {
            "id": name,
            "object": "file",
            "bytes": len(data),
            "created_at": 1,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }
        self.files[name] = (described, data)
        return described

    def _batch(self, call: Call, name: str, what: str) -> Json | None:
        if not name:
            name = f"batch-{len(self.batches) + 1}"
            self.batches[name] = {
                **call.json,
                "id": name,
                "object": "batch",
                "status": "validating",
                "created_at": 2,
            }
        batch = self.batches.get(name)
        if batch is not None and what == "cancel":
            batch["status"] = "cancelling"
        return batch
