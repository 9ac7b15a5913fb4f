"""Failures as clients of Responses know them: before the first byte like everywhere at OpenAI, in a stream as
an event with a name.
"""

import msgspec
from msgspec import Raw, Struct

from shared import sse
from shared.dialects.openai import OpenAI
from shared.errors import GatestackError, UpstreamRefused


class _Kind(Struct, frozen=True):
    type: str = "error"


class _Error(Struct, frozen=True):
    message: str
    code: str | None = None
    param: str | None = None


class _Rendered(Struct, frozen=True):
    error: Raw


class ResponsesDialect(OpenAI):
    def event(self, error: GatestackError, request_id: str) -> bytes:
        if isinstance(error, UpstreamRefused) and error.body:
            # A line break in JSON is white space, in an event it would begin another field.
            data = error.body.replace(b"\r", b" ").replace(b"\n", b" ")
            return sse.encode(data, _kind(data))
        _, _, body = super().refusal(error, request_id)
        raw = msgspec.json.decode(body, type=_Rendered).error
        told = msgspec.json.decode(raw, type=_Error)
        fields = {"code": told.code, "message": told.message, "param": told.param, "sequence_number": 0}
        # The official client raises where it sees `error`, others look at `type` and `message`.
        return sse.encode(msgspec.json.encode({"type": "error", **fields, "error": raw}), "error")


def _kind(data: bytes) -> str:
    try:
        kind = msgspec.json.decode(data, type=_Kind).type
    except (ValueError, RecursionError):
        return "error"
    return kind if kind.isprintable() else "error"
