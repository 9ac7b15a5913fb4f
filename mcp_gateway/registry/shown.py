"""One version of a server or skill as the registry's API writes it, and which of them a request asks for.

Source: https://github.com/modelcontextprotocol/registry (v0.1, `ServerResponse` and `ServerList`).
"""

import datetime
from typing import Any
from urllib.parse import parse_qs

from msgspec import Struct

from mcp_gateway.registry.published import newest, order
from shared.catalog_entries import LATEST, CatalogEntry
from shared.errors import BadRequest

OFFICIAL = "io.modelcontextprotocol.registry/official"
OURS = "gatestack/registry"
_MOST, _USUAL, _LONGEST = 100, 30, 500
_NAMES, _GONE = ("name", "id", "version"), {"description": "Taken back."}


class Shown(Struct, frozen=True, kw_only=True):
    """`content` is what is shown of `entry`; `more` is what only this registry says of it."""

    entry: CatalogEntry
    content: dict[str, Any]
    latest: bool = False
    more: dict[str, Any] = {}

    @property
    def cursor(self) -> str:
        return f"{self.entry.name}:{self.entry.version}"

    def told(self, key: str) -> dict[str, Any]:
        entry = self.entry
        official: dict[str, Any] = {
            "status": "active" if entry.state == "imported" else entry.state,
            "publishedAt": _written(entry.published_at),
            "updatedAt": _written(entry.updated_at),
            "isLatest": self.latest,
        }
        if entry.reason and entry.state in ("deprecated", "deleted"):
            official["statusMessage"] = entry.reason
        own: dict[str, Any] = {"state": entry.state, "source": entry.source}
        if entry.findings and entry.state == "deleted":
            # Somebody has looked and thrown it away: that it is gone is all that anybody has to hear.
            bare = {name: self.content[name] for name in _NAMES if name in self.content}
            return {key: bare | _GONE, "_meta": {OFFICIAL: official, OURS: own}}
        own |= {"owner": entry.owner, "labels": entry.labels}
        if entry.findings:
            own["findings"] = entry.findings
        return {key: self.content, "_meta": {OFFICIAL: official, OURS: own | self.more}}


class Query(Struct, frozen=True, kw_only=True):
    """`since` is in microseconds since 1970; `version` may be `latest`."""

    limit: int = _USUAL
    cursor: str = ""
    search: str = ""
    since: int = 0
    version: str = ""
    deleted: bool = False

    def fits(self, shown: Shown) -> bool:
        entry = shown.entry
        # Whoever keeps up with changes has to hear what is gone.
        if entry.state == "deleted" and not (self.deleted or self.since):
            return False
        if entry.updated_at < self.since:
            return False
        return not self.version or (shown.latest if self.version == LATEST else entry.version == self.version)

    def page(self, found: list[Shown]) -> tuple[list[Shown], str]:
        """The part of `found` that is asked for, and the cursor of the next."""
        rest = _after(found, self.cursor) if self.cursor else found
        page = rest[: self.limit]
        return page, page[-1].cursor if len(rest) > len(page) else ""


def asked(query: str) -> Query:
    """Raises BadRequest."""
    given = {name: values[-1][:_LONGEST] for name, values in parse_qs(query).items()}
    limit = given.get("limit", str(_USUAL))
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST:
        raise BadRequest(f"limit must be a number from 1 to {_MOST}")
    return Query(
        limit=int(limit),
        cursor=given.get("cursor", ""),
        search=given.get("search", ""),
        since=_read(given["updated_since"]) if "updated_since" in given else 0,
        version=given.get("version", ""),
        deleted=given.get("include_deleted") == "true",
    )


def by_name(found: list[Shown]) -> list[Shown]:
    """By name, the newest version first; the latest of each name is marked."""
    latest = newest(shown.entry for shown in found)
    marked = [
        Shown(
            entry=shown.entry,
            content=shown.content,
            latest=latest[shown.entry.name] == shown.entry.version,
            more=shown.more,
        )
        for shown in found
    ]
    marked.sort(key=lambda shown: order(shown.entry.version, shown.entry.published_at), reverse=True)
    return sorted(marked, key=lambda shown: shown.entry.name)


def _after(found: list[Shown], cursor: str) -> list[Shown]:
    for place, shown in enumerate(found):
        if shown.cursor == cursor:
            return found[place + 1 :]
    # It is gone meanwhile: what comes after its name is still to come.
    name = cursor.partition(":")[0]
    return [shown for shown in found if shown.entry.name > name]


def _written(at_us: int) -> str:
    moment = datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(text: str) -> int:
    try:
        # A plus sign that was not escaped is read as a space.
        moment = datetime.datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise BadRequest("updated_since must be a moment like 2026-01-31T12:00:00Z (RFC 3339)") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)
    return max(0, int(moment.timestamp() * 1_000_000))
