"""A user's own rights at a server: the grant that they once gave is kept, renewed while it lasts, and asked
for again when it does not. A refresh token is used by one replica at a time, once.
"""

import asyncio

import msgspec
from msgspec import Struct

from mcp_gateway.credentials.challenge import read_challenge
from mcp_gateway.credentials.client import OAuthClient
from mcp_gateway.credentials.credential import ConsentNeeded, HeaderList, Owner, bearer
from mcp_gateway.credentials.discovery import AuthorizationServer, Discovery, Found
from mcp_gateway.credentials.registration import Registration
from mcp_gateway.credentials.tokens import UNKNOWN_CLIENT, Token, TokenRefused, Tokens
from mcp_gateway.credentials.turn import Turn
from mcp_gateway.credentials.user_grants import Held, UserGrant, UserGrants, turn_of
from shared.clock import Clock
from shared.errors import UpstreamFault

_SKEW_SECONDS = 30.0
# What a token endpoint says when a refresh token is worth nothing any more (RFC 6749 section 5.2).
_DEAD = ("invalid_grant",)


class Place(Struct, frozen=True, kw_only=True):
    """One server as a place that users connect to. `scopes` are what the operator wants, () what the server
    says it needs.
    """

    name: str
    url: str
    discovery: Discovery
    registration: Registration
    tokens: Tokens
    scopes: tuple[str, ...] = ()


class UserOAuth:
    """The gateway itself comes as `catalog`, and without a credential where that is ()."""

    def __init__(self, place: Place, grants: UserGrants, turn: Turn, clock: Clock, catalog: Owner) -> None:
        self.place = place
        self.grants = grants
        self._turn = turn
        self._clock = clock
        self._catalog = catalog
        self._renewing: set[asyncio.Task[Held]] = set()

    async def headers(self, owner: Owner) -> HeaderList:
        who = owner or self._catalog
        if not who:
            return []
        held = await self.grants.find(self.place.name, who)
        if held is None:
            raise ConsentNeeded(self.place.name, who, self.place.scopes)
        if not self._good(held.grant):
            held = await self._renewed_in_time(who, held)
        return bearer(held.grant.access)

    async def refused(
        self, owner: Owner, sent: HeaderList, status: int, challenge: str | None, *, last: bool
    ) -> bool:
        who = owner or self._catalog
        held = await self.grants.find(self.place.name, who) if who else None
        if held is None or sent != bearer(held.grant.access):
            # Somebody has connected, renewed or revoked meanwhile.
            return bool(who) and not last
        told = read_challenge(challenge)
        if status == 403:
            more = set(told.scopes) - set(held.grant.scopes)
            if told.error == "insufficient_scope" and more:
                wanted = dict.fromkeys((*held.grant.scopes, *told.scopes))
                raise ConsentNeeded(self.place.name, who, tuple(wanted))
            return False
        # Another authorization server may speak for it by now.
        self.place.discovery.forget()
        if last:
            raise ConsentNeeded(self.place.name, who, held.grant.scopes)
        await self._renewed(who, held)
        return True

    async def revoke(self, owner: Owner) -> bool:
        """Forgets what `owner` has allowed, and tells the authorization server; False where there is
        nothing.
        """
        held = await self.grants.find(self.place.name, owner)
        if held is None or not await self.grants.remove(self.place.name, owner, held):
            return False
        await self._tell_revoked(
            held.grant.issuer, held.grant.client_id, held.grant.refresh or held.grant.access
        )
        return True

    async def close(self) -> None:
        """Waits for what is under way: an answer that nobody takes would cost a user their grant."""
        await asyncio.gather(*self._renewing, return_exceptions=True)

    def _good(self, grant: UserGrant) -> bool:
        return self._clock.now() < grant.expires_at - _SKEW_SECONDS

    async def _renewed_in_time(self, owner: Owner, stale: Held) -> Held:
        """What is nearly over is used to its end where nobody can renew it right now."""
        try:
            return await self._renewed(owner, stale)
        except ConsentNeeded:
            raise
        except UpstreamFault:
            if self._clock.now() >= stale.grant.expires_at:
                raise
            return stale

    async def _renewed(self, owner: Owner, stale: Held) -> Held:
        """What stands in the place of `stale`. Goes on to its end though the caller may not wait for it."""
        if not stale.grant.refresh:
            raise ConsentNeeded(self.place.name, owner, stale.grant.scopes)
        task = asyncio.create_task(self._renew(owner, stale))
        self._renewing.add(task)
        task.add_done_callback(self._renewing.discard)
        return await asyncio.shield(task)

    async def _renew(self, owner: Owner, stale: Held) -> Held:
        """Nothing but the one request is done in the turn, which is longer than that can take."""
        found = await self.place.discovery.find()
        client = await self.place.registration.client(found.server)
        latest = stale

        async def ready() -> Held | None:
            nonlocal latest
            held = await self.grants.find(self.place.name, owner)
            if held is None:
                raise ConsentNeeded(self.place.name, owner, stale.grant.scopes)
            latest = held
            return held if held.grant.access != stale.grant.access else None

        name = turn_of(self.place.name, owner)
        return await self._turn.do(name, ready, lambda: self._refresh(owner, latest, found, client))

    async def _refresh(self, owner: Owner, stale: Held, found: Found, client: OAuthClient) -> Held:
        old = stale.grant
        if (found.server.issuer, client.id) != (old.issuer, old.client_id):
            # Whoever speaks for the server now is not who gave this: it must never see it.
            raise ConsentNeeded(self.place.name, owner, old.scopes)
        form = {"grant_type": "refresh_token", "refresh_token": old.refresh, "resource": found.resource}
        try:
            token = await self.place.tokens.ask(found.server.token_endpoint, client, form)
        except TokenRefused as error:
            if error.error == UNKNOWN_CLIENT:
                await self.place.registration.unknown(found.server)
            if error.error not in _DEAD:
                raise
            await self.grants.remove(self.place.name, owner, stale)
            raise ConsentNeeded(self.place.name, owner, old.scopes) from error
        renewed = msgspec.structs.replace(
            grant_of(token, found.server, old.client_id, old.scopes, old.granted_at),
            refresh=token.refresh or old.refresh,
        )
        held = await self.grants.replace(self.place.name, owner, stale, renewed)
        if held is None:
            # It was revoked while we asked: what came of it must not live on.
            await self._tell_revoked(renewed.issuer, renewed.client_id, renewed.refresh)
            raise ConsentNeeded(self.place.name, owner, old.scopes)
        return held

    async def _tell_revoked(self, issuer: str, client_id: str, text: str) -> None:
        """As far as anybody listens: what is forgotten here is forgotten either way."""
        try:
            server = (await self.place.discovery.find()).server
            if server.issuer != issuer or not server.revocation_endpoint:
                return
            client = await self.place.registration.client(server)
            if client.id == client_id:
                await self.place.tokens.revoke(server.revocation_endpoint, client, text)
        except UpstreamFault:
            return


def grant_of(
    token: Token, server: AuthorizationServer, client_id: str, asked: tuple[str, ...], granted_at: float
) -> UserGrant:
    """What is kept of a token. Where nothing is said of its scopes, they are those that were asked for."""
    return UserGrant(
        access=token.text,
        refresh=token.refresh,
        expires_at=token.expires_at,
        scopes=token.scopes if token.scopes is not None else asked,
        issuer=server.issuer,
        client_id=client_id,
        granted_at=granted_at,
    )
