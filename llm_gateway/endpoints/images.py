"""Images made, changed and varied. Requests are JSON or forms; answers are whole or a stream of images that
become clearer.

Source: https://platform.openai.com/docs/api-reference/images
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.catalog import Target
from llm_gateway.endpoints.answers import decoded
from llm_gateway.endpoints.counted import read_usage
from llm_gateway.endpoints.endpoint import Inquiry, Outbound, Params, Spoken, Whole
from llm_gateway.endpoints.events import TypedEvents
from llm_gateway.endpoints.forms import count_in, flag_in, model_in, on_form
from llm_gateway.endpoints.json_body import COUNT, FLAG, NAME, TEXT, read_members, respelled, tokens_of
from llm_gateway.formats import StreamReader
from llm_gateway.multipart import read_form
from shared.errors import BadRequest
from shared.ledger.entry import Usage

_LAST = frozenset(("image_generation.completed", "image_edit.completed"))
_JSON = "application/json"


class _Reply(Struct, frozen=True):
    data: list[Raw]
    usage: Raw = Raw()


_reply = msgspec.json.Decoder(_Reply)


class _Images(Spoken):
    """What the three have in common."""

    name = ""
    _path = ""

    def outbound(self, inquiry: Inquiry, target: Target) -> Outbound:
        if inquiry.form is not None:
            return on_form(self._path, inquiry.form, target.model)
        return Outbound(path=self._path, body=(respelled(inquiry.body, inquiry.spans, target.model),))

    def whole(self, inquiry: Inquiry, target: Target, body: bytes, content_type: str) -> Whole:
        reply = decoded(body, _reply, "list of images")
        # Models that count no tokens are paid by the image.
        return Whole(body, read_usage(reply.usage) or Usage(units=len(reply.data)))

    def reader(self, inquiry: Inquiry) -> StreamReader:
        return TypedEvents(_LAST)


class Generations(_Images):
    name = "images"
    paths: tuple[str, ...] = ("/v1/images/generations",)
    form = False
    _path = "/images/generations"

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        return _described(body)


class Edits(_Images):
    name = "image_edits"
    paths: tuple[str, ...] = ("/v1/images/edits",)
    form = True
    _path = "/images/edits"

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        if content_type.partition(";")[0].strip().lower() == _JSON:
            # Where images are named by address instead of sent along.
            return _described(body)
        return _sent(body, content_type, needs="prompt")


class Variations(_Images):
    name = "image_variations"
    paths: tuple[str, ...] = ("/v1/images/variations",)
    form = True
    _path = "/images/variations"

    def read(self, body: bytes, content_type: str, params: Params) -> Inquiry:
        return _sent(body, content_type)


def _described(body: bytes) -> Inquiry:
    request = read_members(body)
    prompt: Any = request.need("prompt", TEXT)
    return Inquiry(
        model=request.need("model", NAME),
        stream=request.get("stream", FLAG) or False,
        body=body,
        spans=request.spans,
        tokens_in=tokens_of((prompt,)),
        units=request.get("n", COUNT) or 1,
        texts=(prompt,),
        names=True,
    )


def _sent(body: bytes, content_type: str, needs: str = "") -> Inquiry:
    form = read_form(body, content_type)
    for part in form.parts:
        if "file_id" in part.head.name.casefold():
            raise BadRequest(f"{part.head.name[:64]}: a form brings its images; only JSON can name them")
    prompt = form.text("prompt")
    if needs and not form.text(needs):
        raise BadRequest(f"you must provide a {needs} parameter", data={"param": needs})
    return Inquiry(
        model=model_in(form),
        stream=flag_in(form, "stream"),
        body=b"",
        spans={},
        tokens_in=tokens_of((prompt,)),
        units=count_in(form, "n"),
        texts=(prompt,) if prompt else (),
        form=form,
    )
