"""Agents' cards: what 0.3 and 1.0 call the same things. One card can be written for readers of both."""

from typing import Any

from agent_gateway.bindings.earlier.raised import Json

VERSION = "0.3.0"
_INTERFACES = ("url", "preferredTransport", "additionalInterfaces", "protocolVersion")
_OLD = frozenset((*_INTERFACES, "supportsAuthenticatedExtendedCard", "security"))


def raised(card: Json) -> Json:
    """A card of 0.3 as one of 1.0; a card that already is one stays as it is."""
    if "supportedInterfaces" in card or not isinstance(card.get("url"), str):
        return card
    found = {name: value for name, value in card.items() if name not in _OLD}
    version = str(card.get("protocolVersion") or VERSION)
    first = {"url": card["url"], "protocolBinding": card.get("preferredTransport") or "JSONRPC"}
    interfaces = [first, *_additional(card)]
    found["supportedInterfaces"] = [interface | {"protocolVersion": version} for interface in interfaces]
    if card.get("supportsAuthenticatedExtendedCard") is True:
        capabilities = card.get("capabilities")
        found["capabilities"] = (capabilities if isinstance(capabilities, dict) else {}) | {
            "extendedAgentCard": True
        }
    return found


def lowered(card: Json) -> Json:
    """`card` with what readers of 0.3 look for beside what is there: its interfaces of that version."""
    given = card.get("supportedInterfaces") or []
    old = [one for one in given if str(one.get("protocolVersion", "")).startswith("0.3")]
    found = dict(card)
    if old:
        first, *others = old
        found |= {"url": first["url"], "preferredTransport": first["protocolBinding"]}
        found["protocolVersion"] = VERSION
        found["additionalInterfaces"] = [
            {"url": one["url"], "transport": one["protocolBinding"]} for one in [first, *others]
        ]
    if (card.get("capabilities") or {}).get("extendedAgentCard") is True:
        found["supportsAuthenticatedExtendedCard"] = True
    return found


def _additional(card: Json) -> list[dict[str, Any]]:
    given = card.get("additionalInterfaces")
    found = []
    for one in given if isinstance(given, list) else []:
        if isinstance(one, dict) and isinstance(one.get("url"), str):
            same = one["url"] == card["url"] and one.get("transport") == card.get("preferredTransport")
            if not same:
                found.append({"url": one["url"], "protocolBinding": str(one.get("transport") or "")})
    return found
