"""Which authorization server speaks for an MCP server, and what it offers: the server's own metadata
(RFC 9728), then the authorization server's (RFC 8414, OpenID Connect Discovery).

Whatever is read here was written by strangers: every address in it is checked before anybody is sent there.
"""

from urllib.parse import urlsplit

from msgspec import Struct

from mcp_gateway.credentials.challenge import read_challenge, scopes_of
from mcp_gateway.credentials.outside import Outside
from mcp_gateway.credentials.section import secure
from shared.clock import Clock
from shared.egress import origin
from shared.errors import BadRequest, UpstreamBroken

_KEEP_SECONDS = 600.0
_RESOURCE = "/.well-known/oauth-protected-resource"
_SERVER, _OPENID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"


class _Resource(Struct, frozen=True):
    """What a protected resource says of itself (RFC 9728 section 2)."""

    resource: str
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()


class AuthorizationServer(Struct, frozen=True):
    """What an authorization server says of itself (RFC 8414 section 2), as far as it is needed here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str = ""
    revocation_endpoint: str = ""
    code_challenge_methods_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """`resource` is what tokens have to be for; `scopes` are those that the server itself speaks of."""

    server: AuthorizationServer
    resource: str
    scopes: tuple[str, ...] = ()


class Discovery:
    """For one MCP server at `url`. With `issuer` the server is not asked who speaks for it."""

    def __init__(self, name: str, url: str, issuer: str, outside: Outside, clock: Clock) -> None:
        self._name = name
        self._url = url
        self._issuer = issuer
        self._outside = outside
        self._clock = clock
        self._found: Found | None = None
        self._good_until = 0.0

    async def find(self) -> Found:
        """Raises UpstreamFault."""
        if self._found is None or self._clock.monotonic() >= self._good_until:
            self._found = await self._find()
            self._good_until = self._clock.monotonic() + _KEEP_SECONDS
        return self._found

    def forget(self) -> None:
        """Whoever asks next asks the server itself."""
        self._good_until = 0.0

    async def _find(self) -> Found:
        if self._issuer:
            return Found(server=await self._server(self._issuer), resource=self._url)
        challenge = read_challenge(await self._outside.challenge(self._url))
        described = await self._described(challenge.resource_metadata)
        if not described.authorization_servers:
            raise self._broken("names no authorization server")
        return Found(
            server=await self._server(described.authorization_servers[0]),
            resource=described.resource,
            # What is needed now comes before all that there is (RFC 6750 section 3).
            scopes=challenge.scopes or scopes_of(" ".join(described.scopes_supported)),
        )

    async def _described(self, told: str) -> _Resource:
        parts = urlsplit(self._url)
        base = f"{parts.scheme}://{parts.netloc}{_RESOURCE}"
        places = [told] if told else list(dict.fromkeys((base + parts.path.rstrip("/"), base)))
        for place in places:
            found = await self._outside.document(place, _Resource)
            if found is not None:
                if not _speaks_for(found.resource, self._url):
                    raise self._broken("has metadata of another resource")
                return found
        raise self._broken("does not say which authorization server speaks for it")

    async def _server(self, issuer: str) -> AuthorizationServer:
        for place in _places(issuer):
            found = await self._outside.document(place, AuthorizationServer)
            if found is not None:
                return self._checked(found, issuer)
        raise self._broken("has an authorization server without metadata")

    def _checked(self, server: AuthorizationServer, issuer: str) -> AuthorizationServer:
        """Raises UpstreamBroken for one that is not who it was said to be, or that could not be trusted with
        a code.
        """
        if server.issuer != issuer:
            # RFC 8414 section 3.3: otherwise one server could send our users and codes to another.
            raise self._broken("has an authorization server that says it is another one")
        endpoints = (server.authorization_endpoint, server.token_endpoint)
        if not all(map(_plain, endpoints)):
            raise self._broken("has an authorization server that nobody should be sent to")
        if not all(map(secure, endpoints)):
            raise self._broken("has an authorization server without https")
        if "S256" not in server.code_challenge_methods_supported:
            raise self._broken("has an authorization server that does not support PKCE with S256")
        return server

    def _broken(self, what: str) -> UpstreamBroken:
        return UpstreamBroken(f"the MCP server {self._name!r} {what}")


def _plain(address: str) -> bool:
    """Whether a browser goes where a reader would think: no user name before the host, no fragment, and
    nothing but the printable characters that addresses are made of.
    """
    try:
        origin(address)
    except BadRequest:
        return False
    return address.isascii() and address.isprintable() and "#" not in address


def _places(issuer: str) -> list[str]:
    """Where the metadata of `issuer` may be, in the order in which MCP clients look for it."""
    try:
        parts = urlsplit(issuer)
    except ValueError as error:
        raise UpstreamBroken("an authorization server was named by something that is no address") from error
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    found = (f"{base}{_SERVER}{path}", f"{base}{_OPENID}{path}", f"{base}{path}{_OPENID}")
    return list(dict.fromkeys(found))


def _speaks_for(resource: str, url: str) -> bool:
    """Whether metadata about `resource` is about the server at `url`: the same, or what it lies below."""
    try:
        same = origin(resource) == origin(url)
    except BadRequest:
        return False
    above, path = urlsplit(resource).path.rstrip("/"), urlsplit(url).path
    return same and (path.rstrip("/") == above or path.startswith(f"{above}/"))
