"""An agent's card as callers see it: reached through the gateway, secured by the gateway, promising what
gets through.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from agent_gateway.bindings.earlier import card as earlier_card
from agent_gateway.cards import Card
from agent_gateway.served_card import ServedCard, etag_of

Sign = Callable[[dict[str, Any]], dict[str, Any]]
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
# In the form of 1.0 with that of 0.3 beside it.
_BEARER = {"httpAuthSecurityScheme": {"scheme": "Bearer"}, "type": "http", "scheme": "Bearer"}


def public_card(
    card: Card,
    url: str,
    extensions: frozenset[str],
    *,
    skills: frozenset[str] | None = None,
    sign: Sign | None = None,
) -> ServedCard:
    """`card` as it is served for an agent that is reached at `url`; with `skills`, with only those."""
    content = rewritten(card.content, url, extensions, skills)
    body = msgspec.json.encode(content)
    # Of the card alone: every process signs it anew, with other bytes.
    etag = etag_of(body)
    if sign is not None:
        body = msgspec.json.encode(sign(content))
    return ServedCard(body, etag, card.since)


def rewritten(
    own: Mapping[str, Any], url: str, extensions: frozenset[str], skills: frozenset[str] | None = None
) -> dict[str, Any]:
    """One card for readers of 1.0 and of 0.3, whichever the agent's own card is."""
    given = earlier_card.raised(dict(own))
    content = {name: value for name, value in given.items() if name not in _DROPPED}
    content["supportedInterfaces"] = [
        {"url": url, "protocolBinding": binding, "protocolVersion": version}
        for version in ("1.0", "0.3")
        for binding in ("JSONRPC", "HTTP+JSON")
    ]
    content["capabilities"] = _capabilities(given.get("capabilities"), extensions)
    content["securitySchemes"] = {_SCHEME: _BEARER}
    content["securityRequirements"] = [{"schemes": {_SCHEME: {"list": []}}}]
    content["security"] = [{_SCHEME: []}]
    if isinstance(listed := content.get("skills"), list):
        content["skills"] = [
            _skill(skill)
            for skill in listed
            if isinstance(skill, dict) and (skills is None or skill.get("id") in skills)
        ]
    return earlier_card.lowered(content)


def _capabilities(given: Any, extensions: frozenset[str]) -> dict[str, Any]:
    offered: Mapping[str, Any] = given if isinstance(given, dict) else {}
    wanted = offered.get("extensions")
    passed = [item for item in wanted if _passes(item, extensions)] if isinstance(wanted, list) else []
    names = ("streaming", "pushNotifications", "extendedAgentCard")
    found: dict[str, Any] = {name: offered.get(name) is True for name in names}
    return found | ({"extensions": passed} if passed else {})


def _passes(extension: Any, allowed: frozenset[str]) -> bool:
    return isinstance(extension, dict) and extension.get("uri") in allowed


def _skill(skill: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in skill.items() if name not in ("security", "securityRequirements")}
