"""An address that a user gives leads to the public network or nowhere."""

import pytest

from shared.egress import Egress, NotOpen, origin
from shared.errors import BadRequest, Forbidden

PUBLIC = "93.184.215.14"


def _egress(*addresses: str, allow: tuple[str, ...] = ()) -> Egress:
    async def resolve(host: str, port: int) -> list[str]:
        if not addresses:
            raise OSError("no such name")
        return list(addresses)

    return Egress(allow, resolve=resolve)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1.2.3:8080/hook",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[64:ff9b:1::a00:1]/",
        "http://[::10.0.0.1]/",
        "http://[::ffff:0:10.0.0.1]/",
        "http://[fec0::1]/",
        "http://[5f00::1]/",
        "http://[3fff::1]/",
        "http://192.88.99.1/",
        "http://168.63.129.16/machine",
    ],
)
async def test_an_address_that_is_not_public_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        await _egress(PUBLIC).check(url)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.1.1", "::1", "::ffff:192.168.0.1", "fe80::1%eth0"])
async def test_a_name_that_leads_to_such_an_address_is_refused(address: str) -> None:
    with pytest.raises(Forbidden):
        await _egress(address).check("https://hooks.example.com/")


async def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(Forbidden):
        await _egress(PUBLIC, "127.0.0.1").check("https://hooks.example.com/")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "http:///nowhere",
        "example.com",
        "",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://user:secret@example.com/",
        "http://exam ple.com/",
        "http://example.com/\nHost: other",
        "http://[::1/",
    ],
)
async def test_what_is_no_plain_http_address_is_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        await _egress(PUBLIC).check(url)


async def test_callers_cannot_tell_a_name_that_does_not_exist_from_a_private_one_and_operators_can() -> None:
    url, told, whys = "https://hooks.example.com/", set(), []
    for egress in (_egress(), _egress("10.0.0.7"), _egress(PUBLIC, "fe80::1%eth0")):
        with pytest.raises(NotOpen) as refused:
            await egress.check(url)
        told.add((refused.value.detail, refused.value.status, refused.value.reason))
        whys.append(refused.value.why)
        assert refused.value.cause == refused.value.why
    [(detail, _, _)] = told
    assert detail == "hooks.example.com is not an address that may be called from here, or does not resolve"
    private = "which is not public and which no `allow` opens"
    assert whys == [
        "hooks.example.com does not resolve (no such name)",
        f"hooks.example.com leads to 10.0.0.7, {private}",
        f"hooks.example.com leads to fe80::1, {private}",
    ]


async def test_a_public_address_is_pinned_to_what_was_looked_at() -> None:
    found = await _egress(PUBLIC).check("https://hooks.example.com/in?x=1")
    assert (found.scheme, found.host, found.port, found.ip) == ("https", "hooks.example.com", 443, PUBLIC)
    assert found.url == "https://hooks.example.com/in?x=1"


async def test_the_operator_can_open_a_network_or_a_host() -> None:
    assert (await _egress("10.1.2.3", allow=("10.1.0.0/16",)).check("http://inside/")).ip == "10.1.2.3"
    assert (await _egress("10.9.9.9", allow=("Inside",)).check("http://inside/")).ip == "10.9.9.9"
    with pytest.raises(Forbidden):
        await _egress("10.2.2.3", allow=("10.1.0.0/16",)).check("http://inside/")


async def test_the_systems_own_resolver_is_asked_by_default() -> None:
    with pytest.raises(Forbidden):
        await Egress().check("http://localhost:1/")


def test_an_origin_does_not_depend_on_how_it_is_spelled() -> None:
    assert (
        origin("HTTP://Example.com/x") == origin("http://example.com:80/y?z") == ("http", "example.com", 80)
    )
    assert origin("https://example.com") != origin("http://example.com")
