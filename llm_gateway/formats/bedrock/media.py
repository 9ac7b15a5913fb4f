"""Images, documents and recordings as Converse's blocks. It takes their bytes or their place in S3; nothing
else is in its reach, and the gateway fetches nothing on a caller's word.
"""

import re
from typing import Any

from llm_gateway.chat.parts import Audio, File, Image

Json = dict[str, Any]

_STRANGE = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_LONGEST_TITLE = 190
_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
# How base64 of each kind begins, where a caller does not say which one it is.
_BEGINS = {"iVBOR": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp"}
_RECORDINGS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/opus": "opus",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mp4": "mp4",
    "audio/m4a": "m4a",
    "audio/webm": "webm",
}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}


def image_block(image: Image) -> Json | str:
    """The block, or the name of what there is none for; so do the others."""
    source = _source(image.data, image.url)
    if source is None:
        return "image.url"
    form = _IMAGES.get(image.media_type) or _begun(image.data) or _ending(image.url)
    if form not in _IMAGES.values():
        return "image.media_type"
    return {"image": {"format": form, "source": source}}


def document_block(file: File, titles: set[str]) -> Json | str:
    """`titles` are those of the documents before it: no two may be the same."""
    source = _source(file.data, file.url)
    if source is None:
        return "file.id" if file.id else "file.url"
    form = _DOCUMENTS.get(file.media_type) or _IMAGES.get(file.media_type) or _ending(file.name or file.url)
    if form in _IMAGES.values():
        return {"image": {"format": form, "source": source}}
    if form not in _DOCUMENTS.values():
        return "file.media_type"
    return {"document": {"format": form, "name": _title(file.name, titles), "source": source}}


def audio_block(audio: Audio) -> Json | str:
    form = _RECORDINGS.get(audio.media_type)
    if form is None:
        return "audio.media_type"
    return {"audio": {"format": form, "source": {"bytes": audio.data}}}


def _source(data: str, url: str) -> Json | None:
    if data:
        return {"bytes": data}
    return {"s3Location": {"uri": url}} if url.startswith("s3://") else None


def _begun(data: str) -> str:
    return next((form for begin, form in _BEGINS.items() if data.startswith(begin)), "")


def _ending(name: str) -> str:
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return "jpeg" if ending == "jpg" else ending


def _title(name: str, titles: set[str]) -> str:
    stem = name.rpartition(".")[0] or name
    clean = _STRANGE.sub(" ", stem).strip()[:_LONGEST_TITLE].rstrip() or "document"
    title, count = clean, 1
    while title in titles:
        count += 1
        title = f"{clean} {count}"
    titles.add(title)
    return title
