"""The three questions that get a token without asking the user: as the gateway itself (RFC 6749 section 4.4),
for a user by exchange (RFC 8693), and for a user through the company's identity provider (ID-JAG).
"""

from mcp_gateway.credentials.assertions import Assertions
from mcp_gateway.credentials.client import OAuthClient
from mcp_gateway.credentials.credential import Owner
from mcp_gateway.credentials.issued import Issued
from mcp_gateway.credentials.outside import Form
from mcp_gateway.credentials.section import (
    ClientCredentials,
    EnterpriseManaged,
    Person,
    TokenEndpoint,
    TokenExchange,
)
from mcp_gateway.credentials.tokens import Token, TokenCache, Tokens

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
# Client credentials are the same whoever calls.
_OURSELVES: Owner = ("", "")


def client_credentials(
    name: str, url: str, rule: ClientCredentials, tokens: Tokens, cache: TokenCache
) -> Issued:
    """As the gateway itself, for everybody who may call the server `name` at `url`."""
    resource = rule.resource or url
    form = _wanted({"grant_type": "client_credentials"}, rule.scopes, resource, rule.audience)

    async def ask(owner: Owner) -> Token:
        return await tokens.ask(rule.token_endpoint.url, client_of(rule.token_endpoint), form)

    return Issued(cache, ask, lambda owner: (name, resource), catalog=_OURSELVES)


def token_exchange(
    name: str, url: str, rule: TokenExchange, tokens: Tokens, cache: TokenCache, assertions: Assertions
) -> Issued:
    """For the user, with an assertion of ours as the subject token."""
    at, resource = rule.token_endpoint, rule.resource or url

    async def ask(owner: Owner) -> Token:
        form = _wanted(_subject(owner, at.url, assertions), rule.scopes, resource, rule.audience)
        form |= {"requested_token_type": _ACCESS_TOKEN}
        return await tokens.ask(at.url, client_of(at), form)

    scopes = tuple(rule.scopes)
    return Issued(
        cache, ask, lambda owner: (name, owner, resource, rule.audience, scopes), owner_of(rule.catalog_as)
    )


def enterprise_managed(
    name: str, url: str, rule: EnterpriseManaged, tokens: Tokens, cache: TokenCache, assertions: Assertions
) -> Issued:
    """For the user: the identity provider says what they may, the server's authorization server believes
    it.
    """
    provider, at, resource = rule.identity_provider, rule.token_endpoint, rule.resource or url

    async def ask(owner: Owner) -> Token:
        form = _wanted(_subject(owner, provider.url, assertions), rule.scopes, resource, rule.issuer)
        form |= {"requested_token_type": _ID_JAG}
        grant = await tokens.ask(provider.url, client_of(provider), form, issued=_ID_JAG)
        redeemed = _wanted({"grant_type": _JWT_BEARER, "assertion": grant.text}, rule.scopes, resource, "")
        return await tokens.ask(at.url, client_of(at), redeemed)

    scopes = tuple(rule.scopes)
    return Issued(
        cache, ask, lambda owner: (name, owner, resource, rule.issuer, scopes), owner_of(rule.catalog_as)
    )


def client_of(endpoint: TokenEndpoint) -> OAuthClient:
    return OAuthClient(
        id=endpoint.client_id,
        secret=endpoint.client_secret.reveal(),
        authentication=endpoint.authentication,
    )


def owner_of(person: Person | None) -> Owner:
    """The owner that a configured person is when nobody acts for them."""
    return (person.tenant, person.sub, person.sub) if person is not None else ()


def _subject(owner: Owner, audience: str, assertions: Assertions) -> Form:
    return {
        "grant_type": _EXCHANGE,
        "subject_token": assertions.of_subject(owner, audience),
        "subject_token_type": _JWT,
    }


def _wanted(form: Form, scopes: list[str], resource: str, audience: str) -> Form:
    more = {"scope": " ".join(scopes), "resource": resource, "audience": audience}
    return form | {name: value for name, value in more.items() if value}
