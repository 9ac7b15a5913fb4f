"""Text to speech: sound as it is made, as bytes or in events.

Source: https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

import msgspec

from llm_gateway.catalog import Target
from llm_gateway.endpoints.endpoint import EVENT_STREAM, Inquiry, Outbound, Params, Shape, Spoken, Whole
from llm_gateway.endpoints.events import TypedEvents
from llm_gateway.endpoints.json_body import NAME, TEXT, read_members, respelled, tokens_of
from llm_gateway.formats import StreamReader
from shared.errors import UpstreamBroken
from shared.ledger.entry import Usage

_LAST = frozenset(("speech.audio.done",))
_FORMAT = msgspec.json.Decoder(str | None)


class Speech(Spoken):
    name = "speech"
    paths: tuple[str, ...] = ("/v1/audio/speech",)
    form = False

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        request = read_members(body)
        text: str = request.need("input", TEXT)
        instructions: str = request.get("instructions", TEXT) or ""
        texts = (text, instructions) if instructions else (text,)
        return Inquiry(
            model=request.need("model", NAME),
            stream=request.get("stream_format", _FORMAT) == "sse",
            body=body,
            spans=request.spans,
            tokens_in=tokens_of(texts),
            units=len(text),
            known=Usage(units=len(text)),
            texts=texts,
        )

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        return Outbound(path="/audio/speech", body=(respelled(inquiry.body, inquiry.spans, target.model),))

    def shape(self, inquiry: Inquiry, content_type: str) -> Shape:
        if content_type.startswith(EVENT_STREAM) and inquiry.stream:
            return Shape.EVENTS
        if inquiry.stream or not content_type.startswith(("audio/", "application/octet-stream")):
            raise UpstreamBroken("the provider answered a request for speech with something else")
        return Shape.BYTES

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        return Whole(body, inquiry.known)

    def reader(self, inquiry: Inquiry) -> StreamReader:
        return TypedEvents(_LAST)
