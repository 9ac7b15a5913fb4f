"""Whose address a request comes from: of the connection, or, behind proxies that an operator has named, what
those say. Nobody else's header is ever believed.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Sequence

from shared.asgi import Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_HEADER = b"x-forwarded-for"
# Whoever has one address of such a network has all of them.
_OWNERS_BITS = 64


class ClientAddress:
    """ASGI around ASGI: `scope["client"]` of what is inside is the client's, as the `proxies` (addresses and
    networks) tell it. Read from the right, the first address that is none of theirs: what stands left of that
    is only what somebody has claimed.
    """

    def __init__(self, app: App, proxies: Sequence[str] = ()) -> None:
        self._app = app
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._proxies and scope["type"] in ("http", "websocket"):
            scope["client"] = self._client(scope)
        await self._app(scope, receive, send)

    def _client(self, scope: Scope) -> tuple[str, int] | None:
        client: tuple[str, int] | None = scope.get("client")
        found = address(client[0]) if client else None
        if client is None or found is None or not self._ours(found):
            return client
        lines = [value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER]
        for text in reversed(",".join(lines).split(",")):
            told = address(_bare(text.strip()))
            if told is None:
                break
            found = told
            if not self._ours(told):
                break
        return (str(found), 0)

    def _ours(self, found: Address) -> bool:
        return any(found in network for network in self._proxies)


def address(text: str) -> Address | None:
    """The IP address in `text`, an IPv4 one where IPv6 only wraps it; None where it is none."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _bare(text: str) -> str:
    """An address without the port that some proxies write behind it."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def source(scope: Scope) -> str:
    """Whom to count a request for: its client's address, of IPv6 the network that one owner has; "" where
    there is none.
    """
    host = str((scope.get("client") or ("",))[0])
    found = address(host)
    if not isinstance(found, ipaddress.IPv6Address):
        return str(found) if found is not None else host
    return str(ipaddress.ip_network((int(found), _OWNERS_BITS), strict=False))


def problems(path: str, proxies: Sequence[str]) -> list[str]:
    """What is wrong with a list of proxies, as `path: problem`."""
    found = []
    for place, proxy in enumerate(proxies):
        try:
            network = ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            found.append(f"{path}[{place}]: {proxy!r} is no address and no network")
            continue
        if network.prefixlen == 0:
            found.append(f"{path}[{place}]: {proxy} is everybody: name your own proxies")
    return found
