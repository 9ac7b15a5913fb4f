"""The content of messages and results, from the words of Responses and back."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, Audio, File, Foreign, Image, Part, Refusal, Text
from llm_gateway.fields import refused, shaped
from llm_gateway.formats.openai_chat.content import Recording, audio, data_url, file, image
from llm_gateway.formats.openai_chat.content import said as chat_said
from llm_gateway.formats.openai_responses.signature import ORIGIN

Json = dict[str, Any]


class _Text(Struct, frozen=True):
    text: str


class _Refusal(Struct, frozen=True):
    refusal: str


class _Image(Struct, frozen=True):
    image_url: str | None = None
    detail: str | None = None


class _Audio(Struct, frozen=True):
    input_audio: Recording


class _File(Struct, frozen=True):
    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None


def parts_of(content: str | list[Json], path: str) -> list[AnyPart]:
    """Raises BadRequest naming the member that cannot be understood."""
    if isinstance(content, str):
        return [Text(text=content)]
    return [part_of(item, f"{path}[{place}]") for place, item in enumerate(content)]


def part_of(item: Json, path: str) -> AnyPart:
    kind = item.get("type")
    if not isinstance(kind, str):
        raise refused(f"{path}.type", "must say what kind of content this is")
    read = _READERS.get(kind)
    return read(item, path) if read is not None else Foreign(origin=ORIGIN, kind=kind, value=item)


def all_said(parts: Iterable[Part], dropped: list[str]) -> str | list[Json]:
    """What a user or a tool says; one text is a string, everything else a list."""
    found = [item for part in parts if (item := _said(part, dropped)) is not None]
    if len(found) == 1 and found[0]["type"] == "input_text":
        text: str = found[0]["text"]
        return text
    return found or ""


def _said(part: Part, dropped: list[str]) -> Json | None:
    if part.cache_point:
        dropped.append("cache_point")
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, Image):
        url = part.url or data_url(part.media_type or "image/png", part.data)
        return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
    if isinstance(part, Audio):
        return chat_said(part, [])
    if isinstance(part, File):
        if part.url:
            return {"type": "input_file", "file_url": part.url}
        told = chat_said(part, dropped)
        return {"type": "input_file", **told["file"]} if told is not None else None
    if isinstance(part, Foreign) and part.origin == ORIGIN:
        return part.value
    dropped.append(part.kind if isinstance(part, Foreign) else type(part).__name__.lower())
    return None


def _text(item: Json, path: str) -> AnyPart:
    return Text(text=shaped(item, _Text, path).text)


def _refusal(item: Json, path: str) -> AnyPart:
    return Refusal(text=shaped(item, _Refusal, path).refusal)


def _image(item: Json, path: str) -> AnyPart:
    given = shaped(item, _Image, path)
    if given.image_url is None:
        # By an id of the provider's: nobody else knows what that is.
        return Foreign(origin=ORIGIN, kind="input_image", value=item)
    return image(given.image_url, given.detail, f"{path}.image_url")


def _audio(item: Json, path: str) -> AnyPart:
    return audio(shaped(item, _Audio, path).input_audio)


def _file(item: Json, path: str) -> AnyPart:
    given = shaped(item, _File, path)
    if given.file_url:
        return File(url=given.file_url, name=given.filename or "")
    return file(given.file_data, given.file_id, given.filename, path)


_READERS: dict[str, Callable[[Json, str], AnyPart]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "summary_text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_audio": _audio,
    "input_file": _file,
}
