"""How the gateway proves to a token endpoint which client it is (RFC 6749 section 2.3, RFC 7523 section
2.2).
"""

import base64
from urllib.parse import quote_plus

from msgspec import Struct

from mcp_gateway.credentials.assertions import Assertions
from mcp_gateway.credentials.credential import HeaderList
from mcp_gateway.credentials.outside import Form
from mcp_gateway.credentials.section import Authentication

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class OAuthClient(Struct, frozen=True, kw_only=True):
    """`secret` is "" for a public client and for one that signs."""

    id: str
    secret: str = ""
    authentication: Authentication = "none"

    def __repr__(self) -> str:
        return f"OAuthClient({self.id!r})"


def proved(client: OAuthClient, form: Form, audience: str, assertions: Assertions) -> tuple[Form, HeaderList]:
    """`form` for the token endpoint `audience`, and the headers beside it."""
    if client.authentication == "secret_basic":
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
        return form, [("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")]
    form = form | {"client_id": client.id}
    if client.authentication == "secret_post":
        form["client_secret"] = client.secret
    elif client.authentication == "private_key_jwt":
        form["client_assertion_type"] = _ASSERTION_TYPE
        form["client_assertion"] = assertions.of_client(client.id, audience)
    return form, []
