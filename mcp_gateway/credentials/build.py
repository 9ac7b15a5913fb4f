"""Opens the credential of every server, and what users need to connect to those that want it of them."""

from collections.abc import Callable, Iterable
from urllib.parse import urldefrag

from msgspec import Struct

from mcp_gateway.config import Http, Section
from mcp_gateway.credentials.assertions import Assertions
from mcp_gateway.credentials.consents import Consents
from mcp_gateway.credentials.credential import Credential, Static
from mcp_gateway.credentials.discovery import Discovery
from mcp_gateway.credentials.exchanges import (
    client_credentials,
    enterprise_managed,
    owner_of,
    token_exchange,
)
from mcp_gateway.credentials.outside import Outside
from mcp_gateway.credentials.registration import Registration
from mcp_gateway.credentials.section import (
    ClientCredentials,
    CredentialRule,
    EnterpriseManaged,
    TokenExchange,
)
from mcp_gateway.credentials.section import UserOAuth as UserOAuthRule
from mcp_gateway.credentials.tokens import TokenCache, Tokens
from mcp_gateway.credentials.turn import Turn
from mcp_gateway.credentials.user_grants import UserGrants
from mcp_gateway.credentials.user_oauth import Place, UserOAuth
from shared.egress import Egress
from shared.identity.sealed import Sealer
from shared.parts import Parts


class Credentials(Struct, frozen=True):
    """By server. `consents` is None where no server wants any."""

    of: dict[str, Credential]
    consents: Consents | None = None

    async def close(self) -> None:
        for credential in self.of.values():
            await credential.close()


def open_credentials(section: Section, parts: Parts, connected: Callable[[str], None]) -> Credentials:
    """`connected` is told of each server that a user has just connected to."""
    opened = _Opened(section, parts)
    of: dict[str, Credential] = {}
    users: dict[str, UserOAuth] = {}
    for name, rule in section.servers.items():
        if isinstance(rule.transport, Http) and rule.credential is not None:
            url = urldefrag(rule.transport.url).url
            if isinstance(rule.credential, UserOAuthRule):
                of[name] = users[name] = opened.user(name, url, rule.credential)
            else:
                of[name] = opened.issued(name, url, rule.credential)
        else:
            of[name] = Static([])
    return Credentials(of, opened.consents(users, connected) if users else None)


class _Opened:
    """What all credentials share."""

    def __init__(self, section: Section, parts: Parts) -> None:
        self._section = section
        self._parts = parts
        rule = section.oauth
        self._egress = Egress(rule.allow)
        self._assertions = Assertions(parts.signer, parts.clock, rule.issuer)
        self._tokens = self._asking(Outside(parts.http, self._egress, _endpoints(section)))
        self._cache = TokenCache(parts.clock)
        self._turn = Turn(parts.redis)
        keys = [key.reveal() for key in rule.sealing_keys]
        self._sealer = Sealer(keys) if keys else None

    def issued(self, name: str, url: str, rule: CredentialRule) -> Credential:
        if isinstance(rule, ClientCredentials):
            return client_credentials(name, url, rule, self._tokens, self._cache)
        if isinstance(rule, TokenExchange):
            return token_exchange(name, url, rule, self._tokens, self._cache, self._assertions)
        assert isinstance(rule, EnterpriseManaged)
        return enterprise_managed(name, url, rule, self._tokens, self._cache, self._assertions)

    def user(self, name: str, url: str, rule: UserOAuthRule) -> UserOAuth:
        parts, sealer = self._parts, self._sealing
        outside = Outside(parts.http, self._egress, [url, *([rule.issuer] if rule.issuer else [])])
        registration = Registration(
            name,
            rule,
            public_url=self._section.public_url,
            outside=outside,
            redis=parts.redis,
            sealer=sealer,
            turn=self._turn,
        )
        place = Place(
            name=name,
            url=url,
            discovery=Discovery(name, url, rule.issuer, outside, parts.clock),
            registration=registration,
            tokens=self._asking(outside),
            scopes=tuple(rule.scopes),
        )
        grants = UserGrants(parts.redis, sealer)
        return UserOAuth(place, grants, self._turn, parts.clock, owner_of(rule.catalog_as))

    def consents(self, users: dict[str, UserOAuth], connected: Callable[[str], None]) -> Consents:
        return Consents(
            users,
            self._parts.redis,
            self._sealing,
            self._parts.clock,
            public_url=self._section.public_url,
            link_seconds=self._section.oauth.link_seconds,
            connected=connected,
        )

    def _asking(self, outside: Outside) -> Tokens:
        return Tokens(outside, self._assertions, self._parts.clock)

    @property
    def _sealing(self) -> Sealer:
        assert self._sealer is not None, "the configuration was checked for it"
        return self._sealer


def _endpoints(section: Section) -> Iterable[str]:
    """The token endpoints that the operator has written down."""
    for rule in section.servers.values():
        credential = rule.credential
        if credential is not None and not isinstance(credential, UserOAuthRule):
            yield credential.token_endpoint.url
            if isinstance(credential, EnterpriseManaged):
                yield credential.identity_provider.url
