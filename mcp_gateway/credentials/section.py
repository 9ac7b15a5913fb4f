"""The part of the configuration that says with which credential a server is called."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from shared.config import Secret
from shared.identity.sealed import key_of

Authentication = Literal["secret_basic", "secret_post", "private_key_jwt", "none"]
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In whose name a server's lists are read."""

    tenant: str
    sub: str


class TokenEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where tokens are asked for, and as which client. With `private_key_jwt` the client is proved by this
    service's own key, which its `/.well-known/jwks.json` publishes.
    """

    url: str
    client_id: str
    client_secret: Secret = field(default_factory=lambda: Secret(""))
    authentication: Authentication = "secret_basic"


class ClientCredentials(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="client_credentials"
):
    """The gateway's own rights, the same for every caller (RFC 6749 section 4.4). `resource` is the server's
    address unless told otherwise (RFC 8707); `audience` is for authorization servers that want one.
    """

    token_endpoint: TokenEndpoint
    scopes: list[str] = []
    resource: str = ""
    audience: str = ""


class TokenExchange(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="token_exchange"
):
    """The caller's rights: an assertion of ours that names user and actors becomes a token for this server
    (RFC 8693).
    """

    token_endpoint: TokenEndpoint
    scopes: list[str] = []
    resource: str = ""
    audience: str = ""
    catalog_as: Person | None = None


class EnterpriseManaged(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="enterprise_managed"
):
    """The caller's rights as the company's identity provider sees them: it turns our assertion into an ID-JAG
    for the authorization server `issuer`, which turns that into a token (RFC 7523).
    """

    identity_provider: TokenEndpoint
    token_endpoint: TokenEndpoint
    issuer: str
    scopes: list[str] = []
    resource: str = ""
    catalog_as: Person | None = None


class UserOAuth(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="user_oauth"
):
    """What each user has allowed on a page of the server's own authorization server, kept sealed.

    Without `issuer` the server is asked for it (RFC 9728). Without `client_id` the gateway introduces itself:
    by a document of its own where that is supported, otherwise by registering, unless `register` is false.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: Secret = field(default_factory=lambda: Secret(""))
    authentication: Authentication = "secret_basic"
    register: bool = True
    scopes: list[str] = []
    catalog_as: Person | None = None


CredentialRule = ClientCredentials | TokenExchange | EnterpriseManaged | UserOAuth


class OAuthRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sealing_keys` seal what users have allowed: 32 bytes in base64, the first one seals, all of them open.
    Authorization servers that a server names are called at public addresses, and at `allow` (host names and
    networks). `issuer` is what assertions of ours say who signed them. A link to the consent page is good for
    `link_seconds`.
    """

    sealing_keys: list[Secret] = []
    allow: list[str] = []
    issuer: str = "mcp_gateway"
    link_seconds: Annotated[int, Meta(ge=60, le=3600)] = 600


def problems(path: str, rule: CredentialRule, *, url: str, headers: list[str]) -> list[str]:
    """What is wrong with one server's credential. `url` is "" for a server that has no address."""
    if not url:
        return [f"{path}: only a server over HTTP is shown a credential; give a child process secret_env"]
    found = []
    if "authorization" in headers:
        found.append(f"{path}: stands beside a header `authorization` of the transport: keep one of them")
    if isinstance(rule, UserOAuth):
        if rule.issuer and not secure(rule.issuer):
            found.append(f"{path}.issuer: {rule.issuer!r} is no https address")
        return found + _client(path, rule.client_id or "-", rule.authentication, rule.client_secret)
    found += _endpoint(f"{path}.token_endpoint", rule.token_endpoint)
    if isinstance(rule, EnterpriseManaged):
        found += _endpoint(f"{path}.identity_provider", rule.identity_provider)
    return found


def oauth_problems(
    rule: OAuthRule, *, public_url: str, authorization_servers: list[str], users: list[str]
) -> list[str]:
    """What is wrong with what all servers share. `users` are those that users connect to."""
    found = [
        f"authorization_servers[{place}]: {address!r} is no https address"
        for place, address in enumerate(authorization_servers)
        if not secure(address)
    ]
    if authorization_servers and not public_url:
        found.append(
            "public_url: clients are told of authorization_servers for addresses below it: say which"
        )
    for place, key in enumerate(rule.sealing_keys):
        try:
            key_of(key.reveal())
        except ValueError as error:
            found.append(f"oauth.sealing_keys[{place}]: {error}")
    if users and not rule.sealing_keys:
        found.append(
            f"oauth.sealing_keys: servers.{users[0]} keeps what users allow, and needs a key for that"
        )
    if users and not public_url:
        found.append(f"public_url: users of servers.{users[0]} are sent to a page of this address: say which")
    if public_url and (not secure(public_url) or urlsplit(public_url).path):
        found.append(f"public_url: {public_url!r} is no https address without a path")
    return found


def secure(url: str) -> bool:
    """Whether what is sent to `url` stays between us and it: https, or this very machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)


def _endpoint(path: str, endpoint: TokenEndpoint) -> list[str]:
    found = [] if secure(endpoint.url) else [f"{path}.url: {endpoint.url!r} is no https address"]
    return found + _client(path, endpoint.client_id, endpoint.authentication, endpoint.client_secret)


def _client(path: str, client_id: str, authentication: Authentication, secret: Secret) -> list[str]:
    if not client_id:
        return [f"{path}.client_id: is empty"]
    if client_id != "-" and authentication.startswith("secret_") and not secret:
        return [f"{path}.client_secret: {authentication} needs one (or say authentication: none)"]
    return []
