"""What a client without a credential is told: where the metadata of each endpoint is, and what stands in
it.
"""

import re

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Heard, http, rule, stateless
from tests.support.serve import someone

PUBLIC = "https://gw.example"
ISSUER = "https://idp.example"
PLACE = "/.well-known/oauth-protected-resource"
TOLD = {"public_url": PUBLIC, "authorization_servers": [ISSUER], "scopes": ["tool:*"]}


async def _read(gateway: Gateway, path: str) -> Heard:
    return await gateway.send(method="GET", path=PLACE + path, identity=False)


async def test_each_endpoint_has_a_document_of_its_own_for_anybody(opened: Open, one: str) -> None:
    catalogs = {"team": {"include": ["one/*"]}}
    async with opened({"one": http(one)}, catalogs=catalogs, **TOLD) as gateway:
        for path in ("/mcp", "/servers/one/mcp", "/catalogs/team/mcp"):
            heard = await _read(gateway, path)
            assert heard.status == 200
            assert heard.json["resource"] == PUBLIC + path
            assert heard.json["authorization_servers"] == [ISSUER]
            assert heard.json["scopes_supported"] == ["tool:*"]
        assert (await _read(gateway, "")).json["resource"] == f"{PUBLIC}/mcp"
        for path in ("/servers/other/mcp", "/catalogs/other/mcp", "/other", "/servers/one", "/servers//mcp"):
            assert (await _read(gateway, path)).status == 404


async def test_a_client_without_a_credential_is_told_where_to_look(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}, **TOLD) as gateway:
        body, headers = stateless("tools/list")
        for path in ("/mcp", "/servers/one/mcp", "/servers/unknown/mcp"):
            heard = await gateway.send(body, headers=headers, path=path, identity=False)
            assert heard.status == 401
            assert f'resource_metadata="{PUBLIC}{PLACE}{path}"' in heard.headers["www-authenticate"]
        for odd in ("/servers/%22x/mcp", "/servers/a%0db/mcp", "/elsewhere"):
            heard = await gateway.send(body, headers=headers, path=odd, identity=False)
            assert heard.status == 401, (odd, heard)
            assert heard.headers["www-authenticate"] == 'Bearer realm="gatestack"'


async def test_nothing_is_told_where_no_authorization_server_is_configured(plain: Gateway) -> None:
    assert (await _read(plain, "/mcp")).status == 401
    heard = await plain.send(b"{}", identity=False)
    assert "resource_metadata" not in heard.headers["www-authenticate"]


@pytest.mark.parametrize("told", [True, False])
async def test_a_token_that_lacks_the_scope_is_challenged_for_it_whether_the_tool_exists_or_not(
    opened: Open, one: str, *, told: bool
) -> None:
    narrow = someone("user:alice", scope=("tool:one/add",))
    async with opened({"one": http(one)}, **(TOLD if told else {})) as gateway:
        for tool in ("echo", "nosuchtool"):
            heard = await gateway.call(f"one__{tool}", {"text": "x"}, caller=narrow)
            challenge = heard.headers.get("www-authenticate", "")
            if told:
                assert heard.status == 403
                assert re.search(rf'error="insufficient_scope", scope="tool:one/{tool}"', challenge)
            else:
                assert heard.status == 400
                assert "there is no tool" in heard.error["message"]
        assert (await gateway.call("one__add", {"a": 1, "b": 2}, caller=narrow)).status == 200


async def test_what_policy_refuses_is_not_a_matter_of_scope(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}, rules=[rule(obj="tool:one/add")], **TOLD) as gateway:
        heard = await gateway.call("one__echo", {"text": "x"})
        assert heard.status == 400
        assert "www-authenticate" not in heard.headers
