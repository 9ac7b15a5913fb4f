"""Recordings to text: in their own language, or translated to English.

Source: https://platform.openai.com/docs/api-reference/audio
"""

import math

import msgspec
from msgspec import Raw, Struct

from llm_gateway.catalog import Target
from llm_gateway.endpoints.answers import decoded
from llm_gateway.endpoints.audio import guessed_seconds, wav_seconds
from llm_gateway.endpoints.counted import Seconds, read_usage
from llm_gateway.endpoints.endpoint import (
    EVENT_STREAM,
    Inquiry,
    Outbound,
    Params,
    Shape,
    Spoken,
    Whole,
    shape_of,
)
from llm_gateway.endpoints.events import TypedEvents
from llm_gateway.endpoints.forms import flag_in, model_in, on_form
from llm_gateway.endpoints.json_body import tokens_of
from llm_gateway.formats import StreamReader
from llm_gateway.multipart import read_form
from shared.errors import BadRequest
from shared.ledger.entry import Usage

_LAST = frozenset(("transcript.text.done",))


class _Reply(Struct, frozen=True):
    text: str
    usage: Raw = Raw()
    duration: Seconds | None = None


_reply = msgspec.json.Decoder(_Reply)


class Transcriptions(Spoken):
    name = "transcriptions"
    paths: tuple[str, ...] = ("/v1/audio/transcriptions",)
    form = True
    _path = "/audio/transcriptions"

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        form = read_form(body, content_type)
        recording = form.file("file")
        if recording is None or recording.head.filename is None:
            raise BadRequest("you must send the recording as a file named file", data={"param": "file"})
        seconds, prompt = wav_seconds(recording.value), form.text("prompt")
        units = guessed_seconds(len(recording.value)) if seconds is None else math.ceil(seconds)
        return Inquiry(
            model=model_in(form),
            stream=flag_in(form, "stream"),
            body=b"",
            spans={},
            tokens_in=tokens_of((prompt,)),
            units=units,
            known=None if seconds is None else Usage(units=units),
            texts=(prompt,) if prompt else (),
            form=form,
        )

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        assert inquiry.form is not None
        return on_form(self._path, inquiry.form, target.model)

    def shape(self, inquiry: Inquiry, content_type: str) -> Shape:
        if inquiry.stream and not content_type.startswith(EVENT_STREAM):
            # Some models cannot stream and are documented to answer in one piece then.
            return Shape.WHOLE
        return shape_of(inquiry, content_type)

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        if not content_type.startswith("application/json"):
            # Plain text and subtitles count nothing.
            return Whole(body, inquiry.known)
        reply = decoded(body, _reply, "transcript")
        usage = read_usage(reply.usage)
        if usage is None and reply.duration is not None:
            usage = Usage(units=math.ceil(reply.duration))
        return Whole(body, usage or inquiry.known)

    def reader(self, inquiry: Inquiry) -> StreamReader:
        return TypedEvents(_LAST)


class Translations(Transcriptions):
    name = "translations"
    paths: tuple[str, ...] = ("/v1/audio/translations",)
    _path = "/audio/translations"
