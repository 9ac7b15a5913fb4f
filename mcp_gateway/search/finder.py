"""Finds tools for a caller, among those that it may use: not even how rare a word is tells of the others."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.ask import Ask
from mcp_gateway.authorize import Authorize
from mcp_gateway.catalogs import Catalogs
from mcp_gateway.items import Item, Listing
from mcp_gateway.search.ranking import Words, ranked, words
from shared import jsonrpc
from shared.errors import BadRequest
from shared.identity.principal import Caller

_LONGEST_QUERY, _LONGEST_SUMMARY, _MOST = 1_000, 240, 50
_REMEMBERED = 20_000


class _Known(Struct, frozen=True):
    """One visible tool: what it is called here, and its definition as it reads here."""

    name: str
    definition: bytes


class _Definition(Struct, frozen=True):
    title: Any = ""
    description: Any = ""
    inputSchema: Any = None


class Finder:
    """`listings` tells what the servers of an endpoint have, `results` how many are found unless asked."""

    def __init__(
        self,
        catalogs: Catalogs,
        authorize: Authorize,
        listings: Callable[[Ask], Awaitable[dict[str, Listing]]],
        *,
        results: int,
    ) -> None:
        self._catalogs = catalogs
        self._authorize = authorize
        self._listings = listings
        self._results = results
        self._words: dict[bytes, Words] = {}

    async def search(self, ask: Ask, caller: Caller) -> bytes:
        """The tools that fit best, shortly. Raises BadRequest."""
        query = _text(ask.params.get("query"), "query", _LONGEST_QUERY)
        limit = _limit(ask.params.get("limit"), self._results)
        known = await self._visible(ask, caller)
        best = ranked(query, [self._of(tool) for tool in known])[:limit]
        return _answered({"tools": [_summary(known[place]) for place in best]})

    async def describe(self, ask: Ask, caller: Caller) -> bytes:
        """The whole definition of one tool. Raises BadRequest."""
        name = _text(ask.params.get("name"), "name", _LONGEST_QUERY)
        for tool in await self._visible(ask, caller):
            if tool.name == name:
                return _answered({"tool": Raw(tool.definition)})
        raise BadRequest(f"there is no tool {name[:200]!r}", code=jsonrpc.INVALID_PARAMS)

    async def _visible(self, ask: Ask, caller: Caller) -> list[_Known]:
        visible = await self._authorize.visible(await self._listings(ask), "tool", caller, ask.surface)
        return [self._known(ask, server, item) for server, items in visible.items() for item in items]

    def _known(self, ask: Ask, server: str, item: Item) -> _Known:
        surface = ask.surface
        return _Known(self._catalogs.name(surface, server, item), self._catalogs.shown(surface, server, item))

    def _of(self, tool: _Known) -> Words:
        found = self._words.get(tool.definition)
        if found is None:
            if len(self._words) >= _REMEMBERED:
                self._words.clear()
            found = self._words[tool.definition] = words(tool.name, " ".join(_texts(_read(tool.definition))))
        return found


def _read(definition: bytes) -> _Definition:
    try:
        return msgspec.json.decode(definition, type=_Definition)
    except (msgspec.DecodeError, RecursionError):
        return _Definition()


def _properties(definition: _Definition) -> dict[str, Any]:
    schema = definition.inputSchema
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return properties if isinstance(properties, dict) else {}


def _texts(definition: _Definition) -> list[str]:
    found = [definition.title, definition.description]
    for name, part in _properties(definition).items():
        found += [name, part.get("description") if isinstance(part, dict) else ""]
    return [text for text in found if isinstance(text, str)]


def _summary(tool: _Known) -> dict[str, Any]:
    definition = _read(tool.definition)
    text = definition.description if isinstance(definition.description, str) else ""
    short = text if len(text) <= _LONGEST_SUMMARY else text[:_LONGEST_SUMMARY] + "…"
    return {"name": tool.name, "description": short, "arguments": list(_properties(definition))}


def _answered(found: dict[str, Any]) -> bytes:
    text = msgspec.json.encode(found)
    block = {"type": "text", "text": text.decode()}
    return msgspec.json.encode({"content": [block], "structuredContent": Raw(text), "isError": False})


def _text(raw: Raw | None, name: str, longest: int) -> str:
    try:
        found = msgspec.json.decode(raw if raw is not None else jsonrpc.NULL, type=str)
    except msgspec.DecodeError:
        found = ""
    if not 0 < len(found) <= longest:
        raise _wrong(f"{name} must be a text of 1 to {longest} characters")
    return found


def _limit(raw: Raw | None, otherwise: int) -> int:
    try:
        found = msgspec.json.decode(raw, type=int) if raw is not None else otherwise
    except msgspec.DecodeError:
        found = 0
    if not 1 <= found <= _MOST:
        raise _wrong(f"limit must be a number from 1 to {_MOST}")
    return found


def _wrong(what: str) -> BadRequest:
    return BadRequest(f"the tool does not take these arguments: {what}", code=jsonrpc.INVALID_PARAMS)
