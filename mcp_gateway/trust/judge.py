"""Takes what a server lists apart: what may be shown, and what is held until somebody approves it."""

import logging

import msgspec
from msgspec import Struct

from mcp_gateway.config import ScanName, TrustName
from mcp_gateway.items import Held, Item, Listing
from mcp_gateway.methods import KINDS, Kind
from mcp_gateway.trust.fingerprint import fingerprint
from shared.errors import Unavailable
from shared.hidden_instructions.scan import scanned
from shared.tool_pins import Pin, ToolPins, Waiting

CHANGED, NEW, UNREADABLE = "tool:changed", "tool:new", "tool:unreadable"
_LOG = logging.getLogger("gatestack")  # noqa: TID251  no request is near: lists are read for all callers
_ATTEMPTS = 3


class _Verdict(Struct, frozen=True):
    """`held` is why an item is not shown; `fresh` a definition that is seen for the first time."""

    item: Item
    digest: str = ""
    definition: bytes = b""
    held: tuple[str, ...] = ()
    fresh: bool = False


class Judge:
    """`servers` are the ids of all servers: a description that speaks of another's tools is suspicious."""

    def __init__(self, pins: ToolPins, servers: tuple[str, ...], scan: ScanName) -> None:
        self._pins = pins
        self._servers = servers
        self._scan = scan
        self._told: set[tuple[str, str, str]] = set()

    async def __call__(self, server: str, identity: str, listing: Listing, trust: TrustName) -> Listing:
        """`listing` without what is held. Raises Unavailable when nobody can say what is trusted."""
        for _ in range(_ATTEMPTS):
            pins = await self._pins.pins(server) if trust != "unpinned" else {}
            verdicts = {
                kind: [self._of(item, server, identity, pins, trust) for item in listing.items[kind].values()]
                for kind in KINDS
            }
            if trust == "unpinned" or await self._record(server, verdicts["tool"]):
                self._tell(server, verdicts)
                return _sorted(listing, verdicts)
        raise Unavailable(f"the pins of the MCP server {server!r} change faster than they can be read")

    def _of(self, item: Item, server: str, identity: str, pins: dict[str, Pin], trust: TrustName) -> _Verdict:
        try:
            findings = self._findings(item, server)
        except (RecursionError, msgspec.DecodeError):
            return _Verdict(item, held=(UNREADABLE,))
        suspicious = tuple(finding for finding in findings if self._holds(item.kind, finding))
        item = msgspec.structs.replace(item, findings=findings) if findings else item
        if item.kind != "tool" or trust == "unpinned":
            return _Verdict(item, held=suspicious)
        try:
            digest, definition = fingerprint(item.own, identity)
        except ValueError:
            return _Verdict(item, held=(UNREADABLE,))
        pin = pins.get(item.name)
        if pin is None:
            held = (*suspicious, NEW) if trust == "listed_only" else suspicious
            return _Verdict(item, digest, definition, held, fresh=not held)
        if pin.digest != digest:
            return _Verdict(item, digest, definition, (CHANGED, *suspicious))
        # Whoever approved it has seen what is suspicious.
        return _Verdict(item, digest, definition, () if pin.by else suspicious)

    def _holds(self, kind: Kind, finding: str) -> bool:
        """Prompts and resources are made of instructions: only what nobody can see is held there."""
        return self._scan == "quarantine" and (kind == "tool" or ":hidden:" in finding)

    def _findings(self, item: Item, server: str) -> tuple[str, ...]:
        if self._scan == "off":
            return ()
        others = [other for other in self._servers if other != server]
        return tuple(f"{item.kind}:{finding}" for finding in scanned(item.own, others))

    async def _record(self, server: str, verdicts: list[_Verdict]) -> bool:
        fresh = {each.item.name: (each.digest, each.definition) for each in verdicts if each.fresh}
        waiting = {
            each.item.name: Waiting(
                tool=each.item.name, digest=each.digest, definition=each.definition, findings=each.held
            )
            for each in verdicts
            if each.held and each.digest
        }
        return await self._pins.record(server, fresh, waiting)

    def _tell(self, server: str, verdicts: dict[Kind, list[_Verdict]]) -> None:
        """Once for each definition that is held."""
        held = {
            (server, each.item.resource, each.digest): each.held
            for kind in KINDS
            for each in verdicts[kind]
            if each.held
        }
        for key, why in held.items():
            if key not in self._told:
                _LOG.warning("%s is held back until it is approved: %s", key[1][:200], ", ".join(why))
        self._told = {key for key in self._told if key[0] != server} | set(held)


def _sorted(listing: Listing, verdicts: dict[Kind, list[_Verdict]]) -> Listing:
    shown = {kind: {each.item.name: each.item for each in verdicts[kind] if not each.held} for kind in KINDS}
    held = {
        (kind, each.item.name): Held(item=each.item, findings=each.held)
        for kind in KINDS
        for each in verdicts[kind]
        if each.held
    }
    return Listing(welcome=listing.welcome, items=shown, held=held)
