"""What a server is shown, and what an agent is not: whatever a hostile server repeats, no credential of ours
and none of the caller's comes back with it.
"""

import json
from typing import Any

import pytest
from msgspec import Raw

from mcp_gateway.credentials.veil import Veil
from shared.jsonrpc import Envelope
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.credentials.conftest import Connected, browsing, link_for
from tests.mcp_gateway.gateway import Gateway
from tests.support.authorization_server import AuthorizationServer
from tests.support.protected_server import ProtectedServer

CALLERS = {
    "authorization": "Bearer callers-own-token",
    "cookie": "session=callers-cookie",
    "x-api-key": "callers-api-key",
    "proxy-authorization": "Basic callers-proxy",
    "x-forwarded-for": "203.0.113.9",
}


async def _repeated(gateway: Gateway, **more: Any) -> dict[str, str]:
    heard = await gateway.call("docs__mirror", headers=CALLERS, **more)
    found: dict[str, str] = json.loads(heard.text)
    return found


async def test_nothing_of_the_callers_reaches_a_server_and_nothing_of_ours_comes_back(
    connected: Connected, authority: AuthorizationServer, protected: ProtectedServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        shown = await _repeated(gateway)
        assert shown["authorization"] == "[credential]"
        sent = protected.heard[-1]
        assert sent["authorization"].removeprefix("Bearer ") in authority.tokens
        identity = gateway.identity()["txn-token"]
        for secret in (*CALLERS.values(), identity):
            assert secret not in json.dumps([shown, *protected.heard])
        assert not {"cookie", "x-api-key", "txn-token", "proxy-authorization"} & set(shown)


async def test_a_header_from_the_configuration_does_not_come_back_either(
    opened: Open, protected: ProtectedServer
) -> None:
    transport = {"type": "http", "url": f"{protected.url}/mcp", "headers": {"X-Own": "${OWN}"}}
    protected.authority.tokens[""] = {
        "sub": "x",
        "scope": "",
        "resource": f"{protected.url}/mcp",
        "act": None,
    }
    async with opened({"docs": {"transport": transport}}, environ={"OWN": 'a/very"secret'}) as gateway:
        assert (await _repeated(gateway))["x-own"] == "[credential]"
        assert protected.heard[-1]["x-own"] == 'a/very"secret'


async def test_no_token_stands_in_the_ledger_or_in_the_log(
    connected: Connected, authority: AuthorizationServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "gatestack")
    async with connected() as gateway, browsing(gateway) as browser:
        link = await link_for(gateway)
        back = await browser.sign_in(await browser.confirm(await browser.open(link)))
        await browser.open(back)
        await gateway.call("docs__mirror")
        authority.tokens.clear()
        await gateway.call("docs__whoami")
        written = repr(await gateway.service.rows(6)) + caplog.text
    fields = [value for asked in authority.asked for value in asked.values()]
    known = {*authority.tokens, *authority.refreshes, *fields, link.partition("link=")[2]}
    assert not [secret for secret in known if len(secret) >= 20 and secret in written and "://" not in secret]


async def test_who_connected_to_what_is_on_record(connected: Connected) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        rows = [row for row in await gateway.service.rows(4) if row.action == "connect"]
        assert {(row.principal, row.resource) for row in rows} == {("user:alice", "tool:docs/*")}
        assert any("connected to docs" in row.detail for row in rows)


@pytest.mark.parametrize("written", ['"a/very\\"secret"', '"a\\/very\\"secret"', '"Bearer a/very\\"secret"'])
def test_a_credential_is_found_as_json_writes_it(written: str) -> None:
    veil = Veil()
    veil.remember(("t", "u"), [("authorization", 'Bearer a/very"secret')])
    message = Envelope(result=_raw(written))
    assert "very" not in bytes(veil.over(("t", "u"), message).result).decode()
    assert veil.over(("t", "other"), message) is message


def test_short_values_are_left_alone() -> None:
    veil = Veil()
    veil.remember((), [("x-version", "2"), ("authorization", "Bearer abc")])
    message = Envelope(result=_raw('"2 abc"'))
    assert veil.over((), message) is message


def _raw(text: str) -> Raw:
    return Raw(text.encode())
