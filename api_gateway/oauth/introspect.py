"""`POST /oauth/introspect`: what a key or a token stands for and whether it is good now (RFC 7662).

For services that are handed one and cannot verify it themselves. Who may ask is policy's business
(`route:oauth`, `introspect`); of another tenant's credentials nobody is told that they exist.
"""

from typing import Any

from api_gateway.oauth.bearers import Bearers
from shared.account import Flight
from shared.errors import Killed, Unauthenticated
from shared.identity.issuer_token import outside
from shared.identity.jws import Claims, decoded, json_object, segments
from shared.identity.keys import Keyring
from shared.identity.principal import Caller
from shared.identity.token import nested
from shared.kill import KillSwitch
from shared.ledger.entry import Entry

PATH = "/oauth/introspect"
_TIMES = ("exp", "iat", "iss", "aud", "jti")


class Introspection:
    """A caller of `operator_tenant` may ask about every tenant's credentials."""

    action = "introspect"

    def __init__(self, bearers: Bearers, keyring: Keyring, kill: KillSwitch, operator_tenant: str) -> None:
        self._bearers = bearers
        self._keyring = keyring
        self._kill = kill
        self._operator_tenant = operator_tenant

    async def answer(self, token: str, asker: Caller, flight: Flight) -> dict[str, Any]:
        """Raises Unavailable where nobody can tell."""
        bearer = await self._good(token, asker)
        flight.entry.detail = f"about {bearer.actor if bearer is not None else 'nobody'}"
        return self._told(bearer, token) if bearer is not None else {"active": False}

    async def _good(self, token: str, asker: Caller) -> Caller | None:
        """Whom `token` stands for, None where that is over, or none of the asker's business."""
        try:
            bearer = await self._bearers.of(token)
            self._kill.check(Entry(id="", service="", started_at=0, caller=bearer))
        except (Unauthenticated, Killed):
            return None
        own = bearer.principal.tenant == asker.principal.tenant
        return bearer if own or asker.principal.tenant == self._operator_tenant else None

    def _told(self, bearer: Caller, token: str) -> dict[str, Any]:
        """As RFC 7662 section 2.2 names it, and what is our own."""
        who = bearer.principal
        told: dict[str, Any] = {
            "token_type": "Bearer",
            "sub": who.sub,
            "client_id": bearer.actor,
            "scope": " ".join(who.scope),
            "tenant": who.tenant,
            "team": who.team,
            "project": who.project,
            "tier": who.tier,
            "key": bearer.key,
            "credential": bearer.credential,
            "act": nested(bearer.actors),
        }
        if bearer.credential == "delegation":
            told |= {"txn": bearer.chain, "chain": bearer.actors}
        told |= self._key_times(bearer) if bearer.credential == "key" else _of_token(token)
        return {"active": True} | {name: value for name, value in told.items() if value}

    def _key_times(self, bearer: Caller) -> dict[str, Any]:
        record = self._keyring.get(bearer.key)
        if record is None:
            return {}
        return {"iat": record.created_at // 1_000_000, "exp": record.expires_at // 1_000_000}


def _of_token(token: str) -> dict[str, Any]:
    """What a verified token says about itself; of an identity provider's, its subject there too."""
    claims: Claims = json_object(decoded(segments(token)[1]))
    told = {name: claims[name] for name in _TIMES if name in claims}
    return told | ({"issuer_sub": claims.get("sub")} if outside(token) else {})
