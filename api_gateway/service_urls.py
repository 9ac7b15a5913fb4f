"""Addresses of services, as they stand in the configuration: are they any, and does what is said of them name
them?
"""

from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from api_gateway.balance.settings import named


def is_http(url: str) -> bool:
    """Whether it is an http(s) address, also one whose name stands for many (`dns:`)."""
    try:
        parts = urlsplit(named(url))
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def url_problems(path: str, urls: Sequence[str]) -> list[str]:
    """Those that are none, as `path: problem`."""
    return [f"{path}[{n}]: {url!r} is no http(s) address" for n, url in enumerate(urls) if not is_http(url)]


def weight_problems(path: str, weights: Collection[str], urls: Sequence[str]) -> list[str]:
    """Weights of addresses that are none of `urls`, as `path: problem`."""
    known = {url.rstrip("/") for url in urls}
    return [
        f"{path}.weights: {url!r} is none of the addresses" for url in weights if url.rstrip("/") not in known
    ]
