"""What messages and replies are made of."""

from typing import Any

from msgspec import Struct


class Part(Struct, frozen=True, kw_only=True, tag=True):
    """`cache_point`: the caller asked the provider to cache everything up to and with this part."""

    cache_point: bool = False


class Text(Part, frozen=True, kw_only=True):
    text: str = ""


class Refusal(Part, frozen=True, kw_only=True):
    """Words in which a model declines (OpenAI keeps them apart from text)."""

    text: str = ""


class Image(Part, frozen=True, kw_only=True):
    """Exactly one of `data` (base64) and `url`. `detail` is low, high, auto or empty."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    detail: str = ""


class Audio(Part, frozen=True, kw_only=True):
    """`data` is base64, `media_type` as in `audio/wav`."""

    media_type: str
    data: str


class File(Part, frozen=True, kw_only=True):
    """A document. Exactly one of `data` (base64), `url` and `id` (the provider's own)."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    id: str = ""
    name: str = ""


class Thinking(Part, frozen=True, kw_only=True):
    """A model's reasoning. `signature` is opaque and means something only to the wire named by `origin`: it
    goes back there unchanged and nowhere else. `redacted`: there is no text, all of it is in `signature`.
    """

    text: str = ""
    signature: str = ""
    origin: str = ""
    redacted: bool = False


class ToolCall(Part, frozen=True, kw_only=True):
    """`arguments` is JSON text as the model wrote it; it may be cut off. `signature` and `origin` as in
    Thinking: some providers sign calls. `custom`: the arguments are free text, not JSON.
    """

    id: str
    name: str
    arguments: str = ""
    signature: str = ""
    origin: str = ""
    custom: bool = False


class ToolResult(Part, frozen=True, kw_only=True):
    """`name` is the tool's where the format says it or it can be found from the call."""

    call_id: str
    name: str = ""
    content: tuple[Text | Image | File, ...] = ()
    is_error: bool = False


class Foreign(Part, frozen=True, kw_only=True):
    """Something that only one wire knows (`origin`): it goes back there as it was, elsewhere it is dropped by
    its `kind`.
    """

    origin: str
    kind: str
    value: dict[str, Any]


AnyPart = Text | Refusal | Image | Audio | File | Thinking | ToolCall | ToolResult | Foreign
