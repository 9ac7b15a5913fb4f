"""Servers as the registry tells of them: those of the configuration, called here, and those that were only
published or imported, which nobody can call through here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.config import ServerRule
from mcp_gateway.registry.published import Published, newest
from mcp_gateway.registry.shown import Shown, by_name
from mcp_gateway.sight import Sight
from mcp_gateway.surfaces import Surface
from shared.catalog_entries import LATEST, OWN_NAMESPACE, VERSION, CatalogEntry
from shared.errors import UpstreamFault
from shared.identity.principal import Caller

_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
_UNTOLD = "0.0.0"
_LONGEST = 100
_ACTIONS = ("list",)


class _Info(Struct):
    version: str = ""
    title: str = ""


class Servers:
    """`began` is when this process read its configuration, in microseconds since 1970."""

    key = "server"

    def __init__(
        self,
        rules: Mapping[str, ServerRule],
        published: Published,
        catalog: Catalog,
        authorize: Authorize,
        *,
        public_url: str,
        began: int,
    ) -> None:
        self._rules = rules
        self._published = published
        self._catalog = catalog
        self._authorize = authorize
        self._public_url = public_url.rstrip("/")
        self._began = began

    async def visible(self, caller: Caller) -> list[Shown]:
        """By name, the newest version first: what the caller could use, and what it may list."""
        entries = self._published.of("server")
        sight = await self._authorize.sight(caller)
        sees = await asyncio.gather(*(self._sees(server, caller, sight) for server in self._rules))
        mine = [server for server, seen in zip(self._rules, sees, strict=True) if seen]
        found = list(await asyncio.gather(*(self._configured(server, entries) for server in mine)))
        # A published name that is configured here is called here, or is nothing to the caller.
        ours = {_name(server, rule).casefold() for server, rule in self._rules.items()}
        there = {(shown.entry.name, shown.entry.version) for shown in found}
        for entry in entries:
            if (entry.name, entry.version) in there:
                continue
            if entry.name.casefold() not in ours and sight(f"tool:{entry.name}/", _ACTIONS, entry.labels):
                found.append(Shown(entry=entry, content=entry.content, more={"callable": False}))
        return by_name(found)

    async def search(self, caller: Caller, words: str) -> list[Shown]:
        """Those with `words` somewhere in their name."""
        wanted = words.casefold()
        return [shown for shown in await self.visible(caller) if wanted in shown.entry.name.casefold()]

    async def described(self, page: Sequence[Shown], caller: Caller) -> list[Shown]:
        return list(page)

    async def _sees(self, server: str, caller: Caller, sight: Sight) -> bool:
        if sight(f"tool:{server}/", _ACTIONS, self._rules[server].labels):
            return True
        return await self._authorize.sees(server, caller, Surface(server))

    async def _configured(self, server: str, entries: list[CatalogEntry]) -> Shown:
        rule, told = self._rules[server], await self._told(server)
        about = rule.about
        known = _of(entries, about.name, about.version)
        content = dict(known.content) if known is not None else {}
        for local in ("packages", "remotes", "_meta"):
            content.pop(local, None)
        entry = CatalogEntry(
            kind="server",
            name=_name(server, rule),
            version=about.version or (known.version if known is not None else told.version or _UNTOLD),
            content={},
            owner=about.owner or (known.owner if known is not None else ""),
            labels=tuple(rule.labels),
            state=about.state,
            source=known.source if known is not None else "",
            published_at=known.published_at if known is not None else self._began,
            updated_at=self._began,
        )
        usual = {"$schema": _SCHEMA, "description": f"The MCP server {server} behind this gateway"}
        own = {"title": about.title[:_LONGEST] or told.title, "description": about.description[:_LONGEST]}
        here = {"name": entry.name, "version": entry.version, "remotes": self._remotes(server)}
        return Shown(
            entry=entry,
            content=usual | content | {name: text for name, text in own.items() if text} | here,
            more={"callable": True, "server": server},
        )

    def _remotes(self, server: str) -> list[dict[str, Any]]:
        return [{"type": "streamable-http", "url": f"{self._public_url}/servers/{server}/mcp"}]

    async def _told(self, server: str) -> _Info:
        """What the server says of itself, as far as it can be shown."""
        try:
            info = msgspec.json.decode((await self._catalog.listing(server)).welcome.info, type=_Info)
        except (UpstreamFault, msgspec.DecodeError):
            return _Info()
        known = info.version != LATEST and VERSION.fullmatch(info.version)
        plain = len(info.title) <= _LONGEST and info.title.isprintable()
        return _Info(version=info.version if known else "", title=info.title if plain else "")


def _name(server: str, rule: ServerRule) -> str:
    return rule.about.name or f"{OWN_NAMESPACE}/{server}"


def _of(entries: list[CatalogEntry], name: str, version: str) -> CatalogEntry | None:
    """What is published under this name, in this version or in the latest."""
    named = [entry for entry in entries if entry.name == name]
    wanted = version or newest(named).get(name, "")
    return next((entry for entry in named if entry.version == wanted), None)
