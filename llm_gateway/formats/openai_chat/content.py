"""The parts of messages, from OpenAI's words for them and back: text, images, recordings, files."""

import mimetypes
import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, Audio, File, Foreign, Image, Part, Refusal, Text
from llm_gateway.fields import refused, shaped

ORIGIN = "openai_chat"
Json = dict[str, Any]

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_AUDIO = {"mp3": "audio/mpeg"}
_FORMATS = {"audio/mpeg": "mp3", "audio/x-wav": "wav", "audio/wave": "wav"}


class _Text(Struct, frozen=True):
    text: str


class _ImageUrl(Struct, frozen=True):
    url: str
    detail: str | None = None


class _Image(Struct, frozen=True):
    image_url: _ImageUrl | str


class Recording(Struct, frozen=True):
    data: str
    format: str


class _Audio(Struct, frozen=True):
    input_audio: Recording


class _FileFields(Struct, frozen=True):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class _File(Struct, frozen=True):
    file: _FileFields


class _Refusal(Struct, frozen=True):
    refusal: str


def parts_of(content: str | list[Json] | None, path: str) -> list[AnyPart]:
    """Raises BadRequest naming the member that cannot be understood."""
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(text=content)]
    return [part_of(item, f"{path}[{place}]") for place, item in enumerate(content)]


def part_of(item: Json, path: str) -> AnyPart:
    """What is of a kind that is not known here goes back to where it is, unread."""
    kind = item.get("type")
    if not isinstance(kind, str):
        raise refused(f"{path}.type", "must say what kind of content this is")
    read = _READERS.get(kind)
    if read is None:
        return Foreign(origin=ORIGIN, kind=kind, value=item)
    return read(item, path, bool(item.get("cache_control")))


def image(url: str, detail: str | None, path: str, *, cache_point: bool = False) -> Image:
    """An image that is behind an address or inside it."""
    if not url[:5].lower().startswith("data:"):
        return Image(url=url, detail=detail or "", cache_point=cache_point)
    media_type, data = _inside(url, path)
    return Image(media_type=media_type, data=data, detail=detail or "", cache_point=cache_point)


def audio(given: Recording, *, cache_point: bool = False) -> Audio:
    media_type = _AUDIO.get(given.format, f"audio/{given.format}")
    return Audio(media_type=media_type, data=given.data, cache_point=cache_point)


def file(data: str | None, id: str | None, name: str | None, path: str, *, cache_point: bool = False) -> File:
    """A document that is there or that the provider has; `data` as an address or bare."""
    if not data:
        if not id:
            raise refused(path, "a file needs its data or its id")
        return File(id=id, name=name or "", cache_point=cache_point)
    if data[:5].lower().startswith("data:"):
        media_type, data = _inside(data, path)
    else:
        media_type = mimetypes.guess_type(name or "")[0] or "application/pdf"
    return File(media_type=media_type, data=data, name=name or "", cache_point=cache_point)


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def said(part: Part, dropped: list[str]) -> Json | None:
    """A part in OpenAI's words; None, and its name in `dropped`, where there are none."""
    if part.cache_point:
        dropped.append("cache_point")
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        url = part.url or data_url(part.media_type or "image/png", part.data)
        return {"type": "image_url", "image_url": {"url": url} | _if("detail", part.detail)}
    if isinstance(part, Audio):
        form = _FORMATS.get(part.media_type) or part.media_type.rpartition("/")[2]
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}
    if isinstance(part, File):
        return _file_said(part, dropped)
    if isinstance(part, Foreign):
        if part.origin == ORIGIN:
            return part.value
        dropped.append(part.kind)
        return None
    dropped.append(type(part).__name__.lower())
    return None


def all_said(parts: Iterable[Part], dropped: list[str]) -> str | list[Json]:
    """Content as providers like it best: one text is a string, everything else a list."""
    found = [item for part in parts if (item := said(part, dropped)) is not None]
    if len(found) == 1 and found[0]["type"] == "text":
        text: str = found[0]["text"]
        return text
    return found or ""


def _file_said(part: File, dropped: list[str]) -> Json | None:
    name = _if("filename", part.name)
    if part.data:
        named = name or {"filename": "file" + (mimetypes.guess_extension(part.media_type) or "")}
        return {"type": "file", "file": named | {"file_data": data_url(part.media_type, part.data)}}
    if part.id:
        return {"type": "file", "file": name | {"file_id": part.id}}
    dropped.append("file.url")
    return None


def _if(name: str, value: str) -> Json:
    return {name: value} if value else {}


def _inside(url: str, path: str) -> tuple[str, str]:
    found = _DATA_URL.match(url)
    if found is None or ";base64" not in found[2].lower():
        raise refused(path, "a data: address must hold base64, as in data:image/png;base64,iVBO…")
    return found[1].lower(), url[found.end() :]


def _text(item: Json, path: str, cache_point: bool) -> AnyPart:
    return Text(text=shaped(item, _Text, path).text, cache_point=cache_point)


def _image(item: Json, path: str, cache_point: bool) -> AnyPart:
    given = shaped(item, _Image, path).image_url
    url, detail = (given, None) if isinstance(given, str) else (given.url, given.detail)
    return image(url, detail, f"{path}.image_url", cache_point=cache_point)


def _audio(item: Json, path: str, cache_point: bool) -> AnyPart:
    return audio(shaped(item, _Audio, path).input_audio, cache_point=cache_point)


def _file(item: Json, path: str, cache_point: bool) -> AnyPart:
    given = shaped(item, _File, path).file
    return file(given.file_data, given.file_id, given.filename, f"{path}.file", cache_point=cache_point)


def _refusal(item: Json, path: str, cache_point: bool) -> AnyPart:
    return Refusal(text=shaped(item, _Refusal, path).refusal, cache_point=cache_point)


_READERS: dict[str, Callable[[Json, str, bool], AnyPart]] = {
    "text": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
    "refusal": _refusal,
}
