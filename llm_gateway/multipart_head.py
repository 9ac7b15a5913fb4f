"""How a form and its parts begin: boundary, names and content types, read in one way or not at all.

Source: RFC 7578 and what HTTP clients send.
"""

import re
from urllib.parse import unquote

from msgspec import Struct

from shared.errors import BadRequest

_TYPE = re.compile(r"multipart/form-data\s*(?=;)", re.IGNORECASE)
_PARAM = re.compile(r';\s*([A-Za-z0-9*_-]+)=(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s";,]+))\s*')
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=?-](?:[A-Za-z0-9'()+_,./:=? -]{0,68}[A-Za-z0-9'()+_,./:=?-])?")
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,128}")
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:\s*;\s*[A-Za-z0-9_.-]+=[^\r\n;]{1,100})*"
)
_HEADER = re.compile(r"[a-z0-9-]{1,64}")
_SAFE = re.compile(r"[^\r\n\x00]*")
_PLAIN_ENCODINGS = ("binary", "8bit", "7bit")


class Head(Struct, frozen=True):
    """How a part begins. `filename` is what stood between the quotes, None where it is a plain field."""

    name: str
    filename: str | None = None
    content_type: str = ""

    def render(self) -> bytes:
        line = f'Content-Disposition: form-data; name="{self.name}"'
        if self.filename is not None:
            line += f'; filename="{self.filename}"'
        if self.content_type:
            line += f"\r\nContent-Type: {self.content_type}"
        return line.encode("utf-8", "surrogateescape") + b"\r\n\r\n"


def boundary_of(content_type: str) -> str:
    """The boundary that a content type names. Raises BadRequest where it is no form or names none, or two."""
    kind = _TYPE.match(content_type)
    if kind is None:
        raise BadRequest("this takes a form: content-type must be multipart/form-data with a boundary")
    params = _params(content_type[kind.end() :])
    boundary = params.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise BadRequest("content-type names no boundary of 1 to 70 plain characters")
    return boundary


def _params(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAM.match(text, at)
        if match is None or match[1].lower() in found:
            raise BadRequest(f"a header of the form cannot be read in one way only: {text[:100]!r}")
        found[match[1].lower()] = match[3] if match[2] is None else match[2]
        at = match.end()
    return found


def read_head(raw: bytes) -> Head:
    headers: dict[str, str] = {}
    for line in raw.decode("utf-8", "surrogateescape").split("\r\n"):
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not _HEADER.fullmatch(name) or name in headers or not _SAFE.fullmatch(value):
            raise BadRequest(f"a part of the form has a header that is none: {line[:100]!r}")
        headers[name] = value.strip()
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
        raise BadRequest("a part of the form has a content-transfer-encoding: send its bytes as they are")
    content_type = headers.get("content-type", "")
    if content_type and not _MEDIA_TYPE.fullmatch(content_type):
        raise BadRequest(f"a part of the form has a content type that is none: {content_type[:100]!r}")
    return _disposed(headers.get("content-disposition", ""), content_type)


def _disposed(disposition: str, content_type: str) -> Head:
    kind, _, rest = disposition.partition(";")
    if kind.strip().lower() != "form-data":
        raise BadRequest("every part of the form needs a content-disposition: form-data")
    params = _params(f";{rest}") if rest else {}
    name, filename = params.get("name", ""), params.get("filename")
    if not _NAME.fullmatch(name):
        raise BadRequest(f"{name[:100]!r} is no name for a part of a form here (letters, digits, _.-[])")
    spelled = params.get("filename*")
    if filename is None and spelled is not None:
        filename = re.sub(r"[^\w .()-]", "_", unquote(spelled.rpartition("'")[2]))
    return Head(name, filename, content_type)
