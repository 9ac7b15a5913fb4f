"""MCP servers in the registry, declared: a `server.json`, and who owns it."""

from typing import Any

import msgspec

from api_gateway.declared.entry import Entries, EntrySpec
from api_gateway.server_json import ServerJson, content_of, problem
from shared.catalog_entries import CatalogEntry
from shared.errors import BadRequest


class ServerSpec(EntrySpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`server` is its `server.json`, with the name and version of the object."""

    server: dict[str, Any]


def _content(name: str, version: str, spec: ServerSpec) -> dict[str, Any]:
    try:
        server = msgspec.convert(spec.server, ServerJson)
    except msgspec.ValidationError as error:
        raise BadRequest(f"server: {error}", cause=error) from error
    if (server.name, server.version) != (name, version):
        raise BadRequest("name: it is <name>@<version> of its server.json")
    if found := problem(server):
        raise BadRequest(f"server.{found}")
    return content_of(spec.server)


def _spec(entry: CatalogEntry) -> ServerSpec:
    return ServerSpec(
        server=entry.content, owner=entry.owner, labels=entry.labels, state=entry.state, source=entry.source
    )


SERVERS = Entries("server", ServerSpec, _content, _spec)
