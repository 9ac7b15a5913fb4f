"""What clients are told that look for the authorization server of an endpoint: one document for each (RFC
9728), to anybody, and only where the operator has named any.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.config import Section
from mcp_gateway.endpoint import surface_of
from shared.dialects.mcp import METADATA
from shared.errors import NotFound


def metadata_routes(section: Section) -> list[Route]:
    """None without `authorization_servers`: a client that finds nothing uses what it was given."""
    if not section.authorization_servers:
        return []

    async def metadata(request: Request) -> Response:
        path = request.path_params["path"] or "/mcp"
        if not _served(section, path):
            return Response("nothing is served there\n", 404, media_type="text/plain")
        # Anybody may read it: pages of other origins too.
        headers = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}
        return Response(_document(section, path), media_type="application/json", headers=headers)

    return [Route(METADATA + "{path:path}", endpoint=metadata, methods=["GET"])]


def _served(section: Section, path: str) -> bool:
    try:
        surface = surface_of(path)
    except NotFound:
        return False
    return (not surface.server or surface.server in section.servers) and (
        not surface.catalog or surface.catalog in section.catalogs
    )


def _document(section: Section, path: str) -> bytes:
    told: dict[str, object] = {
        "resource": section.public_url + path,
        "authorization_servers": section.authorization_servers,
        "bearer_methods_supported": ["header"],
        "resource_name": "Gatestack",
    }
    if section.scopes:
        told["scopes_supported"] = section.scopes
    return msgspec.json.encode(told)
