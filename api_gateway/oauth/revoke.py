"""`POST /oauth/revoke`: a key or a delegation token, given back by whoever holds it (RFC 7009).

A delegation ends with all that was handed on with it, new calls and open ones alike: by the kill list, which
every service obeys within its bound. A key ends as it does for an operator who revokes it.
"""

from typing import Any

from api_gateway.control import Control
from api_gateway.oauth.bearers import Bearers
from api_gateway.oauth.frame import OAuthFrame
from shared.account import Flight
from shared.errors import BadRequest, Unauthenticated
from shared.identity.principal import Caller

PATH = "/oauth/revoke"
REASON = "this delegation has been revoked"
# No delegation token lives longer, so that what is older revokes nothing any more.
_LONGEST_US = 86_400 * 1_000_000


class Revocation:
    """One's own needs `revoke` on `route:oauth`; somebody else's needs `manage` on `admin:keys` or
    `admin:kills` as well, and the same tenant, or `operator_tenant`.
    """

    action = "revoke"

    def __init__(self, bearers: Bearers, control: Control, frame: OAuthFrame, operator_tenant: str) -> None:
        self._bearers = bearers
        self._control = control
        self._frame = frame
        self._operator_tenant = operator_tenant

    async def answer(self, token: str, asker: Caller, flight: Flight) -> dict[str, Any]:
        """What is no good is as good as revoked (RFC 7009 section 2.2). Raises BadRequest, Forbidden,
        Unapproved, Unavailable.
        """
        bearer = await self._bearer(token)
        if bearer is not None and self._concerns(asker, bearer):
            # Whoever revokes what they came with must still be answered.
            flight.spare()
            await self._revoke(asker, bearer, flight)
        return {}

    async def _bearer(self, token: str) -> Caller | None:
        try:
            return await self._bearers.of(token)
        except Unauthenticated:
            return None

    def _concerns(self, asker: Caller, bearer: Caller) -> bool:
        tenant = asker.principal.tenant
        return tenant in (bearer.principal.tenant, self._operator_tenant)

    async def _revoke(self, asker: Caller, bearer: Caller, flight: Flight) -> None:
        """Raises BadRequest, Forbidden, Unapproved, Unavailable."""
        if bearer.credential == "oidc":
            raise BadRequest(
                "this token is its issuer's to revoke; here, `gatestack kill add user=…` stops its bearer",
                data="unsupported_token_type",
            )
        key = bearer.credential == "key"
        if not _own(asker, bearer):
            self._frame.unasked(asker, "admin:keys" if key else "admin:kills", "manage")
        if key:
            flight.entry.detail = f"the key {bearer.key} of {bearer.actor}"
            await self._control.revoke_key(bearer.key)
            return
        flight.entry.detail = f"a delegation of {bearer.actor} in chain {bearer.chain}"
        await self._end(bearer, asker)

    async def _end(self, bearer: Caller, asker: Caller) -> None:
        """Ends the last delegation that `bearer` acts by, and takes what is long over off the kill list."""
        if not bearer.bounds.delegations:
            raise BadRequest("this token is from before delegations had ids: kill its chain instead")
        selector = {"tenant": bearer.principal.tenant, "delegation": bearer.bounds.delegations[-1]}
        kills = await self._control.store.kills()
        for kill in kills:
            if kill.reason == REASON and kill.at + _LONGEST_US < self._control.now_us():
                await self._control.lift_kill(kill.id, "expiry")
        if all(kill.selector != selector for kill in kills):
            await self._control.add_kill(selector, REASON, asker.actor)


def _own(asker: Caller, bearer: Caller) -> bool:
    """Whether it is what the asker came with, or started, stands for the asker, or acts in the asker's name.
    A narrowed credential does not speak for all that its owner has.
    """
    if asker.depth:
        ids = asker.bounds.delegations
        return bool(ids) and ids == bearer.bounds.delegations
    if asker.principal.tenant != bearer.principal.tenant:
        return False
    if asker.key and asker.key == bearer.key:
        return True
    return not asker.principal.scope and asker.actor in (bearer.actor, bearer.principal.sub)
