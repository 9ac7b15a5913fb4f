"""As which client the gateway appears at a user's authorization server: as configured, by a document that it
serves itself (CIMD), or as it has registered there (RFC 7591).
"""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from mcp_gateway.credentials.client import OAuthClient
from mcp_gateway.credentials.discovery import AuthorizationServer
from mcp_gateway.credentials.outside import Outside, decoded
from mcp_gateway.credentials.section import Authentication, UserOAuth
from mcp_gateway.credentials.turn import Turn
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.identity.sealed import SealBroken, Sealer
from shared.redis_client import Redis

CALLBACK, DOCUMENT = "/oauth/callback", "/oauth/clients"
_PURPOSE = "registered client"
_NAME = "Gatestack MCP gateway"


class _Registered(Struct, frozen=True):
    """What a registration endpoint answers (RFC 7591 section 3.2.1)."""

    client_id: str
    client_secret: str = ""
    token_endpoint_auth_method: str = ""


_METHODS: dict[str, Authentication] = {
    "client_secret_basic": "secret_basic",
    "client_secret_post": "secret_post",
}


class Registration:
    """For one server. `public_url` is where browsers and authorization servers find this gateway."""

    def __init__(
        self,
        name: str,
        rule: UserOAuth,
        *,
        public_url: str,
        outside: Outside,
        redis: Redis,
        sealer: Sealer,
        turn: Turn,
    ) -> None:
        # One address a server: an answer that comes to another one's is a mix-up (RFC 9700 section 4.4.2).
        self.redirect_uri = f"{public_url}{CALLBACK}/{name}"
        self._document = f"{public_url}{DOCUMENT}/{name}"
        self._rule = rule
        self._outside = outside
        self._redis = redis
        self._sealer = sealer
        self._turn = turn

    async def client(self, server: AuthorizationServer) -> OAuthClient:
        """Raises UpstreamRefused where there is no way to become one, UpstreamFault."""
        rule = self._rule
        if rule.client_id:
            return OAuthClient(
                id=rule.client_id, secret=rule.client_secret.reveal(), authentication=rule.authentication
            )
        if server.client_id_metadata_document_supported and self._document.startswith("https://"):
            return OAuthClient(id=self._document)
        if rule.register and server.registration_endpoint:
            return await self._turn.do(
                f"{self._key(server)}:turn", lambda: self._known(server), lambda: self._register(server)
            )
        raise UpstreamRefused(
            "no client of the server's authorization server: an operator has to set client_id",
            upstream_status=502,
            retryable=False,
        )

    async def unknown(self, server: AuthorizationServer) -> None:
        """The authorization server has forgotten its client: the next one who asks registers anew."""
        if not self._rule.client_id:
            await self._redis.execute("DEL", self._key(server))

    def document(self) -> dict[str, Any]:
        """What the gateway says of itself as a client, for those who support such documents."""
        return {"client_id": self._document, **self._described()}

    async def _known(self, server: AuthorizationServer) -> OAuthClient | None:
        sealed = await self._redis.execute("GET", self._key(server))
        if sealed is None:
            return None
        try:
            plain = self._sealer.open(sealed, _PURPOSE, self._key(server)).plain
            return msgspec.msgpack.decode(plain, type=OAuthClient)
        except (SealBroken, msgspec.DecodeError):
            return None

    async def _register(self, server: AuthorizationServer) -> OAuthClient:
        body = msgspec.json.encode(self._described())
        status, answer = await self._outside.post_json(server.registration_endpoint, body)
        if status not in (200, 201):
            raise UpstreamRefused(
                "the server's authorization server does not register this gateway as a client",
                upstream_status=status,
                retryable=False,
            )
        found = decoded(answer, _Registered, server.registration_endpoint)
        if not found.client_id:
            raise UpstreamBroken("the server's authorization server has registered a client without a name")
        method = (
            _METHODS.get(found.token_endpoint_auth_method, "secret_basic") if found.client_secret else "none"
        )
        client = OAuthClient(id=found.client_id, secret=found.client_secret, authentication=method)
        sealed = self._sealer.seal(msgspec.msgpack.encode(client), _PURPOSE, self._key(server))
        await self._redis.execute("SET", self._key(server), sealed)
        return client

    def _described(self) -> dict[str, Any]:
        return {
            "client_name": _NAME,
            "application_type": "web",
            "redirect_uris": [self.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }

    def _key(self, server: AuthorizationServer) -> str:
        what = msgspec.msgpack.encode((server.issuer, self.redirect_uri))
        return f"gs:mcp:client:{hashlib.sha256(what).hexdigest()}"
