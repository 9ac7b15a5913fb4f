"""Reads what another registry of MCP servers lists. Its address comes from whoever calls and must be public;
it is not followed anywhere else, and what it says is bounded.

Source: https://github.com/modelcontextprotocol/registry (v0.1 of its API).
"""

import asyncio
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from api_gateway.admin.fetched import fetched
from api_gateway.server_json import OFFICIAL, ServerJson, content_of, problem
from shared.approvals import visible
from shared.egress import Egress
from shared.errors import BadRequest
from shared.http_client import HttpClient

_PAGE, _MOST_PAGES = 100, 20
_CAP = 4 * 2**20
_SECONDS, _ALL_SECONDS = 15.0, 60.0
_LONGEST = 32_768
_MOST_TOLD = 50


class _Standing(Struct):
    status: str = "active"


class _Listed(Struct):
    server: dict[str, Any]
    _meta: dict[str, Any] = {}

    @property
    def status(self) -> str:
        """What the other registry has decided about it."""
        try:
            return msgspec.convert(self._meta.get(OFFICIAL, {}), _Standing).status
        except msgspec.ValidationError:
            return "active"


class _Metadata(Struct):
    nextCursor: str | None = None


class _List(Struct):
    servers: list[_Listed] | None = None
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class Imported(Struct):
    """`servers` are as they were listed, without what their registry adds; `deprecated` are those among them
    that it says so of, `gone` those that it has deleted, by name and version. `skipped` says why others are
    not taken over, `more` whether there would have been more.
    """

    source: str
    servers: list[dict[str, Any]]
    deprecated: set[tuple[str, str]]
    gone: set[tuple[str, str]]
    skipped: list[str]
    more: bool = False


class Imports:
    def __init__(self, http: HttpClient, egress: Egress) -> None:
        self._http = http
        self._egress = egress

    async def __call__(self, url: str, search: str, limit: int) -> Imported:
        """Latest versions, at most `limit`. Raises BadRequest, Forbidden for an address that is not
        public.
        """
        if "?" in url or "#" in url:
            raise BadRequest(
                "url: a registry's address up to its version, like https://registry.example/v0.1"
            )
        source = url.rstrip("/").removesuffix("/servers")
        found, cursor = Imported(source, [], set(), set(), []), ""
        try:
            async with asyncio.timeout(_ALL_SECONDS):
                for _ in range(_MOST_PAGES):
                    page = await self._page(source, search, min(limit, _PAGE), cursor)
                    _take(found, page, limit)
                    cursor = page.metadata.nextCursor or ""
                    if not cursor or found.more or len(found.servers) >= limit:
                        break
        except TimeoutError as error:
            raise BadRequest(f"url: not all was listed within {_ALL_SECONDS:.0f} s", cause=error) from error
        found.more = found.more or bool(cursor)
        return found

    async def _page(self, source: str, search: str, limit: int, cursor: str) -> _List:
        # What is deleted there has to go here.
        query = {"version": "latest", "include_deleted": "true", "limit": str(limit)}
        query |= {"search": search, "cursor": cursor}
        url = f"{source}/servers?{urlencode({name: value for name, value in query.items() if value})}"
        body = await fetched(self._http, self._egress, url, field="url", cap=_CAP, seconds=_SECONDS)
        try:
            return msgspec.json.decode(body, type=_List)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadRequest("url: what is there is no list of servers", cause=error) from error


def _take(found: Imported, page: _List, limit: int) -> None:
    known = {(server["name"], server["version"]) for server in found.servers}
    for listed in page.servers or ():
        server = content_of(listed.server)
        why = _unusable(server)
        if why:
            if len(found.skipped) < _MOST_TOLD:
                found.skipped.append(f"{visible(str(server.get('name', '')))[:200]}: {why}")
            continue
        key = server["name"], server["version"]
        if listed.status == "deleted":
            found.gone.add(key)
        elif key not in known:
            if len(found.servers) >= limit:
                found.more = True
                return
            known.add(key)
            found.servers.append(server)
            if listed.status == "deprecated":
                found.deprecated.add(key)


def _unusable(server: dict[str, Any]) -> str:
    """Why a server is not taken over; "" where it is."""
    try:
        if len(msgspec.json.encode(server)) > _LONGEST:
            return f"described in more than {_LONGEST} bytes"
        return problem(msgspec.convert(server, ServerJson))
    except (msgspec.ValidationError, RecursionError) as error:
        return visible(str(error))[:200]
