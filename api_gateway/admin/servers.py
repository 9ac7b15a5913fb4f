"""MCP servers in the registry: publish one, change a version's state, import from another registry.

Nothing that is published here is called: that needs an operator's line in the configuration.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api_gateway.admin import Answer, Ask, Page, published
from api_gateway.admin.bring import planned
from api_gateway.admin.conditional import Changed
from api_gateway.admin.imports import Imports
from api_gateway.control import Control
from api_gateway.server_json import OURS, Own, ServerJson, content_of, problem
from shared.approvals import visible
from shared.catalog_entries import CatalogEntry
from shared.errors import BadRequest
from shared.store import Unmet

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
        """Every version of every server."""
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
        made = await published.publish(control, ask, entry)
        told = {name: made[name] for name in ("owner", "labels", "state", "findings")}
        return 200, {"server": made["content"], "_meta": {OURS: told}, "etag": made["etag"]}

    async def state(self, control: Control, ask: Ask) -> Answer:
        """Changes the state of a version."""
        return await published.state(control, ask, "server")

    async def bring(self, control: Control, ask: Ask) -> Answer:
        """Takes over what another registry lists; what was published here stays as it is."""
        published.everywhere(ask)
        wanted, why = ask.read(Import), published.reason_of(ask)
        ask.entry.findings += (f"import:{visible(wanted.url[:200])}",)
        if not why and not wanted.dry_run:
            raise BadRequest("reason: say why, as ?reason=…; it is kept for good")
        found = await self._imports(wanted.url, wanted.search, wanted.limit)
        plan = await planned(control, ask, found, why)
        if plan.writes and not wanted.dry_run:
            await published.room(control, plan.fresh)
            published.note(ask, (*plan.fresh, *plan.gone))
            try:
                await published.write(control, plan.writes)
            except Unmet as error:
                raise Changed("the catalog has been changed meanwhile: import again") from error
        return 200, {**plan.told(), "more": found.more, "dry_run": wanted.dry_run}


def pages(imports: Imports) -> tuple[Page, ...]:
    servers, path = Servers(imports), "/catalog/servers"
    bring = Page(
        method="POST",
        path=path + "/import",
        area=published.AREA,
        action="manage",
        call=servers.bring,
        body=Import,
    )
    calls = (servers.listing, servers.publish, servers.state)
    return (*published.pages(path, "servers", calls, ServerJson), bring)


def _own(whole: dict[str, Any]) -> Own:
    """Raises BadRequest."""
    given = whole.get("_meta")
    try:
        return msgspec.convert(given.get(OURS, {}) if isinstance(given, dict) else {}, Own)
    except msgspec.ValidationError as error:
        raise BadRequest(f"_meta.{OURS}: {error}", cause=error) from error
