"""The guard for every address that somebody other than the operator gives: where may this process connect
to?

Addresses from the configuration are the operator's and do not pass here. A name is resolved once and the
address that was looked at is the one to connect to, so that a second answer of its DNS server cannot lead
elsewhere.
"""

import asyncio
import ipaddress
import posixpath
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from shared.errors import BadRequest, Forbidden

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]
_PORTS = {"http": 80, "https": 443}
_THIS_MACHINE = "localhost"
# IPv6 forms that hold an IPv4 address which decides where the packets end up (RFC 6052, RFC 3056).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
# Of IPv6 nothing else is anybody's on the Internet (RFC 4291 section 2.4): the rest holds local translators,
# which lead to any IPv4 address (RFC 8215), and networks that Python takes for public.
_UNICAST = ipaddress.ip_network("2000::/3")
# Public by number and yet local: documentation, relays of 6to4, and the host that Azure's machines run on.
_LOCAL = tuple(map(ipaddress.ip_network, ("3fff::/20", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))


class Destination(Struct, frozen=True):
    """An address that may be connected to. `ip` is what was checked; connect there and name `host` to it."""

    url: str
    scheme: str
    host: str
    port: int
    ip: str


class NotOpen(Forbidden):
    """An address that may not be called. Its text is the same for a host that does not resolve and for one
    that leads inside: callers must not learn which names there are. `why` is for operators.
    """

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"{host} is not an address that may be called from here, or does not resolve", cause=why
        )
        self.why = why


class Egress:
    """`allow` opens host names and networks (`10.1.0.0/16`) that would be refused as not public."""

    def __init__(self, allow: Sequence[str] = (), *, resolve: Resolve | None = None) -> None:
        self._hosts = frozenset(name.lower() for name in allow if _network(name) is None)
        self._networks = [network for name in allow if (network := _network(name)) is not None]
        self._resolve = resolve or _resolve

    async def check(self, url: str) -> Destination:
        """Where `url` leads. Raises BadRequest for what is no http(s) address, NotOpen for what is not public
        or does not resolve.
        """
        parts = _split(url)
        host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in await self._addresses(host, port)]
        if not found:
            raise NotOpen(host, f"{host} resolves to no address")
        # One private address among several is enough: which of them gets connected to is not ours to say.
        closed = [] if host in self._hosts else [each for each in found if not self._open(each)]
        if closed:
            raise NotOpen(
                host, f"{host} leads to {closed[0]}, which is not public and which no `allow` opens"
            )
        return Destination(url=url, scheme=parts.scheme, host=host, port=port, ip=str(found[0]))

    async def _addresses(self, host: str, port: int) -> list[str]:
        literal = _literal(host)
        if literal is not None:
            return [str(literal)]
        try:
            return await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise NotOpen(host, f"{host} does not resolve ({why})") from error

    def _open(self, address: Address) -> bool:
        real = _embedded(address)
        return any(real in network for network in self._networks) or _public(real)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an http(s) address, as they are compared. Raises BadRequest."""
    parts = _split(url)
    return parts.scheme, str(parts.hostname), parts.port or _PORTS[parts.scheme]


def place(url: str) -> tuple[str, int, str, str]:
    """Where an http(s) address leads, equal for its many spellings: host, port, path and query. Names are not
    looked up, but for this machine's own. Raises BadRequest.
    """
    _, host, port = origin(url)
    parts = urlsplit(url)
    path = posixpath.normpath("/" + unquote(parts.path).lstrip("/"))
    return _machine(host), port, path, parts.query


def _machine(host: str) -> str:
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return _THIS_MACHINE
    address = _literal(name)
    if address is None:
        # `127.1`, `0x7f.1` and `2130706433` are addresses to whoever connects.
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(name))
        except OSError:
            return name
    real = _embedded(address)
    return _THIS_MACHINE if real.is_loopback or real.is_unspecified else str(real)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise BadRequest(f"{url[:200]!r} is no http(s) address", cause=error) from error
    if not usable or any(ord(char) <= 32 for char in url):
        raise BadRequest(f"{url[:200]!r} is no http(s) address")
    if parts.username is not None or parts.password is not None:
        raise BadRequest("an address must not carry a user name or a password")
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or any(address in network for network in _LOCAL):
        return False
    return isinstance(address, ipaddress.IPv4Address) or address in _UNICAST


def _embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    return address


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
