"""An agent's card as callers see it: reached through the gateway, secured by the gateway, promising what
gets through.
"""

import hashlib
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import msgspec
from msgspec import Struct

from agent_gateway.cards import Card

_MAX_AGE = 60
# The agent's own addresses and credentials, and signatures over a card that this one no longer is.
_DROPPED = frozenset(
    (
        *("url", "preferredTransport", "additionalInterfaces", "protocolVersion", "security", "signatures"),
        *(
            "supportsAuthenticatedExtendedCard",
            "supportedInterfaces",
            "securitySchemes",
            "securityRequirements",
        ),
        "capabilities",
    )
)
_SCHEME = "gatestack"


class PublicCard(Struct, frozen=True):
    """The rewritten card's bytes with what a cache needs to know about them."""

    body: bytes
    etag: str
    modified: str

    def unchanged(self, if_none_match: str | None) -> bool:
        """Whether a client that sends this `If-None-Match` has it already (RFC 9110 section 13.1.2)."""
        if if_none_match is None:
            return False
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return "*" in tags or self.etag in tags

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"application/json"),
            (b"cache-control", f"private, max-age={_MAX_AGE}".encode()),
            (b"vary", b"Authorization"),
            (b"etag", self.etag.encode()),
            (b"last-modified", self.modified.encode()),
        ]


def public_card(card: Card, url: str, extensions: frozenset[str]) -> PublicCard:
    """`card` as it is served for an agent that is reached at `url`."""
    content = {name: value for name, value in card.content.items() if name not in _DROPPED}
    content["supportedInterfaces"] = [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]
    content["capabilities"] = _capabilities(card.content.get("capabilities"), extensions)
    content["securitySchemes"] = {_SCHEME: {"httpAuthSecurityScheme": {"scheme": "Bearer"}}}
    content["securityRequirements"] = [{"schemes": {_SCHEME: {"list": []}}}]
    if isinstance(skills := content.get("skills"), list):
        content["skills"] = [_skill(skill) for skill in skills if isinstance(skill, dict)]
    body = msgspec.json.encode(content)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return PublicCard(body, etag, formatdate(card.since, usegmt=True))


def _capabilities(given: Any, extensions: frozenset[str]) -> dict[str, Any]:
    offered: Mapping[str, Any] = given if isinstance(given, dict) else {}
    wanted = offered.get("extensions")
    passed = [item for item in wanted if _passes(item, extensions)] if isinstance(wanted, list) else []
    found: dict[str, Any] = {"streaming": offered.get("streaming") is True, "pushNotifications": False}
    return found | ({"extensions": passed} if passed else {})


def _passes(extension: Any, allowed: frozenset[str]) -> bool:
    return isinstance(extension, dict) and extension.get("uri") in allowed


def _skill(skill: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in skill.items() if name not in ("security", "securityRequirements")}
