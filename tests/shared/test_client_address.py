"""Whose address counts: the connection's, unless a proxy that we know says otherwise."""

from typing import Any

import pytest

from shared.client_address import ClientAddress, problems, source

OURS = ["10.0.0.0/8", "2001:db8:1::/48"]


async def seen(peer: str, *told: str, proxies: list[str] | None = None) -> str:
    """The client that an app behind `proxies` sees of a request from `peer` with these headers."""
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["client"][0])

    headers = [(b"x-forwarded-for", value.encode()) for value in told]
    scope = {"type": "http", "client": (peer, 4711), "headers": headers}

    async def nothing(*_: Any) -> Any: ...

    await ClientAddress(app, OURS if proxies is None else proxies)(scope, nothing, nothing)
    return str(found[0])


@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:51234"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8:9::1]:443"], "2001:db8:9::1"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("2001:db8:1::5", ["2001:db8:9::1"], "2001:db8:9::1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, somebody"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.9,"], "10.0.0.1"),
    ],
)
async def test_only_what_our_own_proxies_have_seen_is_believed(
    peer: str, told: list[str], client: str
) -> None:
    assert await seen(peer, *told) == client


async def test_without_proxies_no_header_counts() -> None:
    assert await seen("10.0.0.1", "203.0.113.9", proxies=[]) == "10.0.0.1"


def test_a_network_of_one_owner_counts_as_one_source() -> None:
    assert source({"client": ("192.0.2.1", 1)}) == "192.0.2.1"
    assert source({"client": ("::ffff:192.0.2.1", 1)}) == "192.0.2.1"
    assert source({"client": ("2001:db8::1", 1)}) == source({"client": ("2001:db8::2", 1)})
    assert source({"client": ("2001:db8::1", 1)}) != source({"client": ("2001:db8:0:1::1", 1)})
    assert source({"client": None}) == ""


def test_who_believes_everybody_is_told_so() -> None:
    assert problems("proxies", ["10.0.0.1", "10.0.0.0/8", "::1"]) == []
    found = problems("proxies", ["0.0.0.0/0", "::/0", "proxy.internal"])
    assert [problem.partition(":")[0] for problem in found] == ["proxies[0]", "proxies[1]", "proxies[2]"]
