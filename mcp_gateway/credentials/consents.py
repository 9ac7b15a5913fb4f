"""How a user comes to allow something: a link for whoever called, a confirmation in a browser, the way over
the authorization server and back (authorization code with PKCE), and then a grant for exactly that caller's
user.

Source: RFC 6749 section 4.1, RFC 7636, RFC 8707, RFC 9207, RFC 9700
"""

import asyncio
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from msgspec import Struct

from mcp_gateway.credentials.client import OAuthClient
from mcp_gateway.credentials.credential import Owner
from mcp_gateway.credentials.discovery import AuthorizationServer, Found
from mcp_gateway.credentials.once import Once
from mcp_gateway.credentials.tokens import UNKNOWN_CLIENT, TokenRefused
from mcp_gateway.credentials.user_oauth import UserOAuth, grant_of
from shared.clock import Clock
from shared.errors import BadRequest, Forbidden, NotFound
from shared.identity.sealed import Sealer
from shared.redis_client import Redis

PAGE = "/oauth/consent"
_WAY_SECONDS = 600
# Less than a call may go without a word from its server.
_WAIT_SECONDS, _POLL_SECONDS = 25.0, 0.25


class Asked(Struct, frozen=True):
    """Who asked for a link, for which server and scopes; `until` in seconds since 1970."""

    owner: Owner
    server: str
    scopes: tuple[str, ...]
    until: float


class Begun(Struct, frozen=True):
    """Somebody is on their way to the authorization server. `browser` is a digest of what theirs has kept."""

    asked: Asked
    issuer: str
    client_id: str
    verifier: str
    browser: str


class Consents:
    """`connected` is told of each server that somebody has just connected to."""

    def __init__(
        self,
        places: Mapping[str, UserOAuth],
        redis: Redis,
        sealer: Sealer,
        clock: Clock,
        *,
        public_url: str,
        link_seconds: int,
        connected: Callable[[str], None],
    ) -> None:
        self.places = places
        self._clock = clock
        self._public_url = public_url
        self._seconds = link_seconds
        self._connected = connected
        self._links = Once("consent-link", Asked, redis, sealer, link_seconds)
        self._states = Once("oauth-state", Begun, redis, sealer, _WAY_SECONDS)

    @property
    def minutes(self) -> int:
        """For how long a link is good."""
        return self._seconds // 60

    async def link(self, server: str, owner: Owner, scopes: tuple[str, ...]) -> str:
        """An address for the user of `owner`, and for nobody else: whoever confirms there gives their own
        account to that user.
        """
        wanted = scopes or self.places[server].place.scopes
        asked = Asked(owner, server, wanted, self._clock.now() + self._seconds)
        return f"{self._public_url}{PAGE}?link={await self._links.put(asked)}"

    async def arrives(self, server: str, owner: Owner, scopes: tuple[str, ...]) -> bool:
        """Waits a while for a user who is on the way: whether a new grant lies there by now."""
        grants = self.places[server].grants
        before = await grants.find(server, owner)
        if before is not None and set(scopes) <= set(before.grant.scopes):
            return True
        for _ in range(int(_WAIT_SECONDS / _POLL_SECONDS)):
            await asyncio.sleep(_POLL_SECONDS)
            now = await grants.find(server, owner)
            if now is not None and (before is None or now.sealed != before.sealed):
                return True
        return False

    async def asked(self, link: str) -> Asked:
        """What a link is about. Raises NotFound for one that is used, too old, or none."""
        asked = await self._links.look(link)
        if asked is None or asked.server not in self.places:
            raise _gone()
        return asked

    async def found(self, asked: Asked) -> tuple[Found, tuple[str, ...]]:
        """Where the user will be sent, and for which scopes. Raises UpstreamFault."""
        found = await self.places[asked.server].place.discovery.find()
        return found, asked.scopes or found.scopes

    async def begin(self, link: str, browser: str) -> str:
        """The address to send the browser on to; uses the link up. Raises NotFound, UpstreamFault."""
        asked = await self.asked(link)
        found, scopes = await self.found(asked)
        registration = self.places[asked.server].place.registration
        client = await registration.client(found.server)
        if await self._links.take(link) is None:
            raise _gone()
        verifier = secrets.token_urlsafe(48)
        asked = Asked(asked.owner, asked.server, scopes, asked.until)
        state = await self._states.put(
            Begun(asked, found.server.issuer, client.id, verifier, _digest(browser))
        )
        wanted = {
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": registration.redirect_uri,
            "state": state,
            "code_challenge": _digest(verifier),
            "code_challenge_method": "S256",
            "resource": found.resource,
            **({"scope": " ".join(scopes)} if scopes else {}),
        }
        return _with(found.server.authorization_endpoint, wanted)

    async def way(self, state: str, server: str, browser: str) -> Begun:
        """Whose way ends here; uses the state up. Raises NotFound for none, Forbidden for another
        browser's.
        """
        begun = await self._states.take(state)
        if begun is None or begun.asked.server != server or server not in self.places:
            raise _gone()
        if not browser or not hmac.compare_digest(begun.browser, _digest(browser)):
            raise Forbidden(
                "this answer belongs to another browser than the one that confirmed: begin anew there"
            )
        return begun

    async def finish(self, begun: Begun, *, code: str, issuer: str | None) -> None:
        """Redeems the code and keeps the grant. Raises BadRequest, Forbidden, UpstreamFault."""
        asked = begun.asked
        credential = self.places[asked.server]
        found = await credential.place.discovery.find()
        client = await credential.place.registration.client(found.server)
        _check_issuer(begun, found.server, client, issuer)
        if not code:
            raise BadRequest("the authorization server sent no code")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": credential.place.registration.redirect_uri,
            "code_verifier": begun.verifier,
            "resource": found.resource,
        }
        try:
            token = await credential.place.tokens.ask(found.server.token_endpoint, client, form)
        except TokenRefused as error:
            if error.error == UNKNOWN_CLIENT:
                await credential.place.registration.unknown(found.server)
            raise
        grant = grant_of(token, found.server, client.id, asked.scopes, self._clock.now())
        await credential.grants.keep(asked.server, asked.owner, grant)
        self._connected(asked.server)


def _check_issuer(begun: Begun, server: AuthorizationServer, client: OAuthClient, issuer: str | None) -> None:
    """RFC 9207 section 2.4. Raises Forbidden: a code must not go to another than who gave it."""
    if (server.issuer, client.id) != (begun.issuer, begun.client_id):
        raise Forbidden(
            "another authorization server speaks for this server than at the beginning: begin anew"
        )
    missing = issuer is None and server.authorization_response_iss_parameter_supported
    if missing or (issuer is not None and issuer != server.issuer):
        raise Forbidden("this answer is not from the authorization server that was asked")


def _digest(text: str) -> str:
    """SHA-256 in base64url without padding: also what PKCE calls S256 (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _with(address: str, parameters: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}"


def _gone() -> NotFound:
    return NotFound(
        "this link is not valid, was used already, or is too old: call the tool again for a new one"
    )
