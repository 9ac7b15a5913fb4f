"""What is wrong with a credential is said before anything is opened, and without the secret."""

from typing import Any

import pytest

from mcp_gateway.config import Http, Section, ServerRule, Stdio, problems
from mcp_gateway.credentials.section import (
    ClientCredentials,
    CredentialRule,
    OAuthRule,
    TokenEndpoint,
    UserOAuth,
)
from shared.config import Secret
from tests.mcp_gateway.credentials.conftest import KEY

PUBLIC = "https://gw.example"


def _section(credential: CredentialRule, transport: Any = None, **more: Any) -> Section:
    rule = ServerRule(transport=transport or Http(url="https://s.example/mcp"), credential=credential)
    return Section(servers={"docs": rule}, **more)


def _own(**more: Any) -> ClientCredentials:
    endpoint: dict[str, Any] = {
        "url": "https://as.example/token",
        "client_id": "g",
        "client_secret": Secret("s"),
    } | more
    return ClientCredentials(token_endpoint=TokenEndpoint(**endpoint))


KEYS = OAuthRule(sealing_keys=[Secret(KEY)])


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        (_section(_own()), ""),
        (_section(_own(url="http://as.example/token")), "token_endpoint.url"),
        (_section(_own(client_secret=Secret(""))), "token_endpoint.client_secret"),
        (_section(_own(client_secret=Secret(""), authentication="private_key_jwt")), ""),
        (_section(_own(client_id="")), "token_endpoint.client_id"),
        (_section(_own(), Stdio(command="x")), "only a server over HTTP"),
        (_section(_own(), Http(url="https://s.example", headers={"Authorization": Secret("x")})), "beside"),
        (_section(UserOAuth(), oauth=KEYS, public_url=PUBLIC), ""),
        (_section(UserOAuth(), oauth=KEYS), "public_url"),
        (_section(UserOAuth(), public_url=PUBLIC), "oauth.sealing_keys"),
        (_section(UserOAuth(client_id="g"), oauth=KEYS, public_url=PUBLIC), "client_secret"),
        (_section(UserOAuth(issuer="http://as.example"), oauth=KEYS, public_url=PUBLIC), "issuer"),
        (_section(UserOAuth(), oauth=KEYS, public_url="http://gw.example"), "public_url"),
        (_section(UserOAuth(), oauth=KEYS, public_url="https://gw.example/x"), "public_url"),
        (Section(oauth=OAuthRule(sealing_keys=[Secret("c2hvcnQ=")])), "oauth.sealing_keys[0]"),
        (Section(authorization_servers=["https://idp.example"]), "public_url"),
        (Section(authorization_servers=["ftp://x"], public_url=PUBLIC), "authorization_servers[0]"),
    ],
)
def test_a_problem_is_named_by_its_place(section: Section, wrong: str) -> None:
    found = problems(section)
    assert [problem for problem in found if wrong in problem] == found
    assert bool(found) == bool(wrong)
    assert "c2hvcnQ" not in repr(found)


def test_no_secret_shows_itself() -> None:
    shown = repr(_section(_own(client_secret=Secret("very-secret")), oauth=KEYS))
    assert "very-secret" not in shown
    assert KEY not in shown
