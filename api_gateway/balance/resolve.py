"""Finds out again and again which numbers stand behind a `dns:` address, so that replicas can come and go."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from api_gateway.balance.pool import Pool
from api_gateway.balance.settings import DNS, named
from shared.egress import Destination

Lookup = Callable[[str, int], Awaitable[list[str]]]
_PORTS = {"http": 80, "https": 443}
_PATIENCE_SECONDS = 5.0


async def resolve(pool: Pool, lookup: Lookup) -> None:
    """Asks once for each name. Where nobody answers, what was known stays: DNS that is down takes no replica
    with it.
    """
    for address in pool.addresses:
        if not address.startswith(DNS):
            continue
        url = named(address)
        parts = urlsplit(url)
        host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                numbers = await lookup(host, port)
        except (OSError, UnicodeError, TimeoutError):
            continue
        if numbers:
            pool.settle(
                address,
                [
                    Destination(url=url, scheme=parts.scheme, host=host, port=port, ip=ip)
                    for ip in sorted(set(numbers))
                ],
            )
