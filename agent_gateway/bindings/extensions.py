"""The A2A extensions that may pass: what a request asks for in its headers, and what it carries in its
message. An agent acts on either, so what is not on the list goes on in neither.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw

from agent_gateway.bindings import Params
from shared.asgi import Exchange
from shared.dialects import a2a
from shared.errors import BadRequest

Unknown = Literal["drop", "refuse"]
_HEADERS = (b"a2a-extensions", b"x-a2a-extensions")
_MOST = 64
_NO_PARTS = Raw(b"[]")
# Whatever else stands in metadata is between the client and the agent.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|urn:", re.IGNORECASE)


class Extensions:
    """`unknown` is what happens to those that are not `allowed`."""

    def __init__(self, allowed: Sequence[str], unknown: Unknown = "drop") -> None:
        self.allowed = frozenset(allowed)
        self._unknown = unknown

    def asked(self, exchange: Exchange) -> tuple[str, ...]:
        """Those in the headers that may go on, each once. Raises BadRequest (-32008)."""
        values = [value.decode("latin-1") for name, value in exchange.headers if name in _HEADERS]
        return self._passed([uri.strip() for value in values for uri in value.split(",") if uri.strip()])

    def cleaned(self, params: Params) -> Params:
        """`params` of a message whose extensions, and metadata of extensions, are only those allowed."""
        cleaned = dict(params)
        if "metadata" in params:
            cleaned["metadata"] = self._metadata(params["metadata"])
        if "message" in params:
            message = msgspec.json.decode(params["message"], type=dict[str, Raw])
            parts = self._parts(message.get("parts", _NO_PARTS))
            if parts is not None or "extensions" in message or "metadata" in message:
                message |= {"parts": parts} if parts is not None else {}
                cleaned["message"] = Raw(msgspec.json.encode(self._message(message)))
        return cleaned

    def _parts(self, raw: Raw) -> Raw | None:
        """The parts of a message, whose metadata is as good a place; None where none of them has any."""
        # A name that is written with escapes is still a name.
        if b"metadata" not in bytes(raw) and b"\\u" not in bytes(raw):
            return None
        try:
            parts = msgspec.json.decode(raw, type=list[dict[str, Raw]])
        except msgspec.DecodeError as error:
            raise BadRequest("message.parts must be a list of objects", cause=error) from error
        cleaned = [
            part | {"metadata": self._metadata(part["metadata"])} if "metadata" in part else part
            for part in parts
        ]
        return Raw(msgspec.json.encode(cleaned))

    def _message(self, message: dict[str, Raw]) -> dict[str, Any]:
        found: dict[str, Any] = dict(message)
        if "metadata" in message:
            found["metadata"] = self._metadata(message["metadata"])
        try:
            uris = msgspec.json.decode(message.get("extensions", b"null"), type=list[str] | None)
        except msgspec.DecodeError as error:
            raise BadRequest("message.extensions must be a list of URIs", cause=error) from error
        if uris is not None:
            found["extensions"] = self._passed(uris)
        return found

    def _metadata(self, raw: Raw) -> Raw:
        """Extensions keep their data under their URI, or below it."""
        try:
            members = msgspec.json.decode(raw, type=dict[str, Raw] | None) or {}
        except msgspec.DecodeError as error:
            raise BadRequest("metadata must be an object", cause=error) from error
        foreign = [name for name in members if _URI.match(name) and not self._covers(name)]
        if not foreign:
            return raw
        self._passed(foreign)
        return Raw(msgspec.json.encode({k: v for k, v in members.items() if k not in foreign}))

    def _covers(self, name: str) -> bool:
        return any(name == uri or name.startswith((f"{uri}/", f"{uri}#")) for uri in self.allowed)

    def _passed(self, uris: Sequence[str]) -> tuple[str, ...]:
        if len(uris) > _MOST:
            raise BadRequest(f"a request may name {_MOST} extensions at most")
        foreign = [uri for uri in uris if uri not in self.allowed]
        if foreign and self._unknown == "refuse":
            raise BadRequest(
                f"the extension {foreign[0][:200]!r} is not let through here",
                code=a2a.EXTENSION_SUPPORT_REQUIRED,
            )
        return tuple(dict.fromkeys(uri for uri in uris if uri in self.allowed))


def allowed_extensions(values: Sequence[str], allowed: frozenset[str]) -> tuple[str, ...]:
    """Those of comma-separated lists that are allowed, each once."""
    asked = (uri.strip() for value in values for uri in value.split(","))
    return tuple(dict.fromkeys(uri for uri in asked if uri in allowed))
