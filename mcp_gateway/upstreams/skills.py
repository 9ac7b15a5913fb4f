"""Skills as a server of its own: each a resource `skill://<id>` and a prompt `<id>`, other versions of it
resources `skill://<id>@<version>`.
"""

from collections.abc import AsyncGenerator
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from mcp_gateway.upstreams import greeting
from mcp_gateway.upstreams.upstream import Call, Welcome
from shared import jsonrpc
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope

_SCHEME = "skill://"
_NOT_FOUND = -32002
_WELCOME = Welcome(
    stateless=True,
    version=greeting.NEWEST,
    capabilities={"resources": Raw(b"{}"), "prompts": Raw(b"{}")},
    info=Raw(msgspec.json.encode({"name": "gatestack-skills", "title": "Skills", "version": "0.1.0"})),
)


class Library(Protocol):
    """What is on offer, and what a caller is told who asks for it (None: nothing it may read)."""

    def offered(self) -> list[tuple[str, str, str]]:
        """Id, title and description of each skill."""
        ...

    async def told(self, name: str, caller: Caller) -> tuple[str, str] | None:
        """Description and text of `<id>` or `<id>@<version>`."""
        ...


class SkillsUpstream:
    def __init__(self, name: str, library: Library) -> None:
        self.name = name
        self._library = library

    async def welcome(self) -> Welcome:
        return _WELCOME

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        if call.method in ("resources/list", "prompts/list", "resources/templates/list"):
            yield _result(self._listed(call.method))
        elif call.method == "resources/read":
            yield await self._read(call)
        elif call.method == "prompts/get":
            yield await self._prompt(call)
        else:
            yield _error(jsonrpc.METHOD_NOT_FOUND, "there are only resources and prompts here")

    async def close(self) -> None:
        return None

    def _listed(self, method: str) -> dict[str, Any]:
        skills = self._library.offered()
        if method == "resources/templates/list":
            template = {
                "uriTemplate": _SCHEME + "{id}@{version}",
                "name": "skill",
                "description": "A skill in a version of its own.",
                "mimeType": "text/markdown",
            }
            return {"resourceTemplates": [template] if skills else []}
        told = [{"name": name, "title": title, "description": about} for name, title, about in skills]
        if method == "prompts/list":
            return {"prompts": told}
        kind = {"mimeType": "text/markdown"}
        return {"resources": [{"uri": _SCHEME + one["name"], **one, **kind} for one in told]}

    async def _read(self, call: Call) -> Envelope:
        uri = _text(call, "uri")
        found = await self._told(uri.removeprefix(_SCHEME), call) if uri.startswith(_SCHEME) else None
        if found is None:
            return _error(_NOT_FOUND, "there is no such skill")
        return _result({"contents": [{"uri": uri, "mimeType": "text/markdown", "text": found[1]}]})

    async def _prompt(self, call: Call) -> Envelope:
        found = await self._told(_text(call, "name"), call)
        if found is None:
            return _error(jsonrpc.INVALID_PARAMS, "there is no such skill")
        message = {"role": "user", "content": {"type": "text", "text": found[1]}}
        return _result({"description": found[0], "messages": [message]})

    async def _told(self, name: str, call: Call) -> tuple[str, str] | None:
        return await self._library.told(name, call.caller) if call.caller is not None else None


def _text(call: Call, name: str) -> str:
    try:
        return msgspec.json.decode(call.params.get(name, jsonrpc.NULL), type=str)
    except msgspec.DecodeError:
        return ""


def _result(result: dict[str, Any]) -> Envelope:
    return Envelope(id=jsonrpc.NULL, result=Raw(msgspec.json.encode(result)))


def _error(code: int, message: str) -> Envelope:
    error = {"code": code, "message": message}
    return Envelope(id=jsonrpc.NULL, error=Raw(msgspec.json.encode(error)))
