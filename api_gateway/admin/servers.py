"""MCP servers in the registry: publish one, change a version's state, import from another registry.

Nothing that is published here is called: that needs an operator's line in the configuration.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api_gateway.admin import Answer, Ask, Page, published
from api_gateway.admin.imports import Imported, Imports
from api_gateway.control import Control
from api_gateway.server_json import OURS, Own, ServerJson, content_of, problem
from shared.catalog_entries import CatalogEntry
from shared.errors import BadRequest

_Limit = Annotated[int, Meta(ge=1, le=1_000)]


class Import(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`url` is another registry's, up to `/v0.1`. `dry_run` only shows what would come."""

    url: str
    search: str = ""
    limit: _Limit = 100
    dry_run: bool = False


class Servers:
    """The calls of the pages below."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports

    async def listing(self, control: Control, ask: Ask) -> Answer:
        return 200, {"servers": await published.listing(control, ask, "server")}

    async def publish(self, control: Control, ask: Ask) -> Answer:
        """A `server.json`; in its `_meta` may stand who owns it, and with which labels."""
        published.everywhere(ask)
        server, whole = ask.read(ServerJson), ask.read(dict[str, Any])
        found = problem(server)
        if found:
            raise BadRequest(found)
        own = _own(whole)
        now = control.now_us()
        entry = CatalogEntry(
            kind="server",
            name=server.name,
            version=server.version,
            content=content_of(whole),
            owner=own.owner or ask.caller.actor,
            labels=own.labels,
            state=own.state,
            by=ask.caller.actor,
            published_at=now,
            updated_at=now,
        )
        await published.publish(control, ask, entry)
        return 200, {"server": entry.content, "_meta": {OURS: {"owner": entry.owner, "state": entry.state}}}

    async def state(self, control: Control, ask: Ask) -> Answer:
        return await published.state(control, ask, "server")

    async def bring(self, control: Control, ask: Ask) -> Answer:
        """Takes over what another registry lists; what was published here stays as it is."""
        published.everywhere(ask)
        wanted = ask.read(Import)
        ask.entry.findings += (f"import:{wanted.url[:200]}",)
        found = await self._imports(wanted.url, wanted.search, wanted.limit)
        fresh, kept = await self._fresh(control, ask, found)
        if not wanted.dry_run and fresh:
            await published.room(control, len(fresh))
            await control.put_catalog_entries(fresh)
        told = [{"name": entry.name, "version": entry.version} for entry in fresh]
        skipped = [*found.skipped, *(f"{name}: published here already" for name in kept)]
        return 200, {"imported": told, "skipped": skipped, "more": found.more, "dry_run": wanted.dry_run}

    async def _fresh(
        self, control: Control, ask: Ask, found: Imported
    ) -> tuple[list[CatalogEntry], list[str]]:
        """What is to be written, and what is not because it was published here or came from elsewhere."""
        there = {(each.name, each.version): each for each in await published.entries(control, "server")}
        now, fresh, kept = control.now_us(), [], []
        for server in found.servers:
            old = there.get((server["name"], server["version"]))
            if old is not None and (old.state != "imported" or old.source != found.source):
                kept.append(f"{old.name} {old.version}")
            elif old is None or old.content != server:
                entry = CatalogEntry(
                    kind="server",
                    name=server["name"],
                    version=server["version"],
                    content=server,
                    state="imported",
                    source=found.source,
                    by=ask.caller.actor,
                    published_at=old.published_at if old is not None else now,
                    updated_at=now,
                )
                fresh.append(entry)
        return fresh, kept


def pages(imports: Imports) -> tuple[Page, ...]:
    servers, path, area = Servers(imports), "/catalog/servers", published.AREA
    return (
        Page(method="GET", path=path, area=area, action="read", call=servers.listing),
        Page(method="POST", path=path, area=area, action="manage", call=servers.publish),
        Page(method="POST", path=path + "/state", area=area, action="manage", call=servers.state),
        Page(method="POST", path=path + "/import", area=area, action="manage", call=servers.bring),
    )


def _own(whole: dict[str, Any]) -> Own:
    """Raises BadRequest."""
    given = whole.get("_meta")
    try:
        return msgspec.convert(given.get(OURS, {}) if isinstance(given, dict) else {}, Own)
    except msgspec.ValidationError as error:
        raise BadRequest(f"_meta.{OURS}: {error}", cause=error) from error
