"""What is behind the stack, by the addresses in its configuration: is somebody there, and until when is the
certificate good?
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from api_gateway.doctor.finding import Case, Finding, worst
from shared.identity.certificates import ends

_SECONDS = 5.0
_SOON = timedelta(days=21)
_PORTS = {"http": 80, "https": 443}
_MOST = 200
# Where our own names and documents stand, and nobody is called.
_OWN = ("public_url", "audience", "issuer")
_RENEW = "renew it: new files are taken over without a restart"


class Place(Struct, frozen=True, kw_only=True):
    """Somebody who is called, and where the configuration says so."""

    named: str
    host: str
    port: int
    secure: bool


async def upstreams(case: Case) -> list[Finding]:
    """A certificate that is not trusted here may be by the authority that its section names: only whether
    somebody answers, and the certificate's end, are looked at.
    """
    places = list({(one.host, one.port): one for one in addresses(case.whole, "")}.values())[:_MOST]
    answers = await asyncio.gather(*(_asked(place, case) for place in places))
    found = [finding for answer in answers for finding in answer]
    return worst(found, "upstreams", f"all {len(places)} answer")


async def certificates(case: Case) -> list[Finding]:
    """Those that the services show to others, and the authorities that they ask for."""
    found, names = [], sorted(set(_files(case.whole, "")))
    for where, name in names:
        path = case.loaded.path(name)
        try:
            until = min(ends(await asyncio.to_thread(Path.read_bytes, path)))
        except (OSError, ValueError) as error:
            what = f"{where}: {path}: {error}"
            found.append(Finding(level="error", check="certificates", what=what, do="name a PEM file"))
        else:
            found += _ending(f"{where}: {path}", until, case)
    return worst(found, "certificates", f"none of {len(names)} ends soon" if names else "none is configured")


def addresses(value: Any, path: str) -> Iterator[Place]:
    """Every http(s) address in plain data, but for those that are names of ours."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name not in _OWN:
                yield from addresses(below, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from addresses(below, f"{path}[{number}]")
    elif isinstance(value, str):
        with contextlib.suppress(ValueError):
            parts = urlsplit(value.removeprefix("dns:"))
            if parts.scheme in _PORTS and parts.hostname:
                port = parts.port or _PORTS[parts.scheme]
                yield Place(named=path, host=parts.hostname, port=port, secure=parts.scheme == "https")


def _files(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            at = f"{path}.{name}".lstrip(".")
            if name in ("certificate", "client_ca", "ca") and isinstance(below, str) and below:
                yield at, below
            else:
                yield from _files(below, at)
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _files(below, f"{path}[{number}]")


async def _asked(place: Place, case: Case) -> list[Finding]:
    context = _anybody() if place.secure else None
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(place.host, place.port, ssl=context)
    except (socket.gaierror, UnicodeError) as error:
        what = f"{place.named}: {place.host} does not resolve: {getattr(error, 'strerror', None) or error}"
        do = "put the name right, or ask whoever runs the DNS of this machine"
        return [Finding(level="error", check="upstreams", what=what, do=do)]
    except (OSError, TimeoutError) as error:
        why = str(error) or "no answer in time"
        what = f"{place.named}: {place.host}:{place.port} does not answer: {why}"
        return [Finding(level="error", check="upstreams", what=what, do="start it, or put the address right")]
    connection: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    shown = connection.getpeercert(binary_form=True) if connection is not None else None
    writer.close()
    return _ending(f"{place.named}: {place.host}:{place.port}", ends(shown)[0], case) if shown else []


def _anybody() -> ssl.SSLContext:
    """Nothing is told to whoever answers: it need not be verified here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ending(what: str, until: datetime, case: Case) -> list[Finding]:
    now = datetime.fromtimestamp(case.clock.now(), UTC)
    if until - now > _SOON:
        return []
    day = until.strftime("%Y-%m-%d")
    if until <= now:
        return [Finding(level="error", check="certificates", what=f"{what}: ended {day}", do=_RENEW)]
    return [Finding(level="warning", check="certificates", what=f"{what}: ends {day}", do=_RENEW)]
