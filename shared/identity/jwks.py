"""An issuer's public keys: read from a JWK Set, kept fresh ahead of need, and given up after a hard limit."""

import asyncio
import contextlib
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from msgspec import Struct

from shared.clock import Clock
from shared.errors import GatestackError, Unavailable
from shared.http_client import HttpClient
from shared.identity.jws import ALG, encoded
from shared.replace_file import replace_file

Key = TypeVar("Key")
Read = Callable[[bytes], Mapping[str, Key]]
Fetch = Callable[[], Awaitable[bytes]]
_MAX_BYTES = 256 * 1024
_FETCH_SECONDS = 5.0
# Less than a fetch may take: the rest is for reading what was kept.
_ANSWER_SECONDS = 4.0


class _Jwk(Struct):
    """A key of a set as far as we care (RFC 7517, RFC 7518 section 6.2)."""

    kty: str = ""
    crv: str = ""
    alg: str = ALG
    use: str = "sig"
    kid: str = ""
    x: str = ""
    y: str = ""


class _Set(Struct):
    keys: list[dict[str, Any]]


class Keys(Protocol):
    async def find(self, kid: str) -> EllipticCurvePublicKey | None:
        """The key called `kid`, None where the issuer has none. Raises Unavailable if nobody can tell."""
        ...

    async def close(self) -> None: ...


class IssuerKeys(Generic[Key]):
    """One issuer's keys, cached. `read` makes keys by kid of what `fetch` brought, or raises ValueError.

    Older than `refresh_seconds` they are fetched again while the old ones go on serving: should that keep
    failing, until `hard_limit_seconds`. An unknown kid asks the issuer, at most once in `cooldown_seconds`.
    """

    def __init__(
        self,
        fetch: Fetch,
        clock: Clock,
        read: Read[Key],
        *,
        changed: Callable[[], None] = lambda: None,
        refresh_seconds: float = 300.0,
        cooldown_seconds: float = 10.0,
        cold_seconds: float = 0.25,
        hard_limit_seconds: float = 3600.0,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._read = read
        self._changed = changed
        self._refresh = refresh_seconds
        self._cooldown = cooldown_seconds
        self._cold = cold_seconds
        self._hard_limit = hard_limit_seconds
        self._keys: Mapping[str, Key] = {}
        self._good_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> Key | None:
        if self._age() > self._hard_limit:
            await self._ask(self._cold)
            if self._age() > self._hard_limit:
                raise Unavailable("the issuer of this token cannot be reached for its keys", retry_after=1)
        elif self._age() > self._refresh:
            self._start(self._cooldown)
        key = self._keys.get(kid)
        if key is None:
            await self._ask(self._cooldown)
            key = self._keys.get(kid)
        if key is None and self._asked_at > self._good_at:
            raise Unavailable(
                "this token's issuer cannot be reached for the key that it names", retry_after=1
            )
        return key

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    def _age(self) -> float:
        return self._clock.monotonic() - self._good_at

    async def _ask(self, pause: float) -> None:
        self._start(pause)
        if self._asking is not None:
            # A caller that leaves must not take the answer away from the others that wait for it.
            await asyncio.shield(self._asking)

    def _start(self, pause: float) -> None:
        now = self._clock.monotonic()
        if self._asking is None and now - self._asked_at >= pause:
            self._asked_at = now
            self._asking = asyncio.create_task(self._once(now))

    async def _once(self, now: float) -> None:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                keys = self._read(await self._fetch())
        except (GatestackError, OSError, ValueError):
            return
        finally:
            self._asking = None
        # A name that stands for another key from now on is as good as gone.
        gone = any(keys.get(kid) != key for kid, key in self._keys.items())
        self._keys, self._good_at = keys, now
        if gone:
            self._changed()


def read(document: bytes) -> dict[str, EllipticCurvePublicKey]:
    """The ES256 keys of a JWK Set by kid; others are skipped. Raises ValueError if there are none."""
    try:
        members = msgspec.json.decode(document, type=_Set).keys
    except RecursionError as error:
        raise ValueError("a key set that is nested too deeply") from error
    keys = {}
    for member in members:
        with contextlib.suppress(ValueError):
            jwk = msgspec.convert(member, _Jwk)
            keys[jwk.kid] = _public(jwk)
    if not keys:
        raise ValueError(f"a key set without a usable {ALG} key")
    return keys


def jwk_of(key: EllipticCurvePublicKey) -> dict[str, str]:
    """The members that name a key (RFC 7638 section 3.2): what its thumbprint is taken over."""
    numbers = key.public_numbers()
    x, y = (encoded(number.to_bytes(32)).decode() for number in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def fetcher(where: str, http: HttpClient) -> Fetch:
    """Reads a key set from an `http(s)://` address or a file."""

    async def over_http() -> bytes:
        reply = await http.send(
            "GET", where, headers=[("accept", "application/json")], header_timeout=_FETCH_SECONDS
        )
        async with reply:
            if reply.status != 200:
                raise Unavailable(f"the issuer answered {reply.status} when asked for its keys")
            return await reply.read(_MAX_BYTES)

    async def from_file() -> bytes:
        return await asyncio.to_thread(Path(where.removeprefix("file://")).read_bytes)

    return over_http if where.startswith(("http://", "https://")) else from_file


def kept(fetch: Fetch, file: Path) -> Fetch:
    """`fetch`, and what it last brought, from `file`, while nobody answers. Raises OSError where there is
    neither.
    """

    async def fetched() -> bytes:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                document = await fetch()
            read(document)
        except (GatestackError, OSError, ValueError):
            return await asyncio.to_thread(file.read_bytes)
        await asyncio.to_thread(_keep, file, document)
        return document

    return fetched


def _keep(file: Path, document: bytes) -> None:
    """A disk that takes nothing stops nobody."""
    with contextlib.suppress(OSError):
        if file.exists() and file.read_bytes() == document:
            return
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(file, document)


def _public(jwk: _Jwk) -> EllipticCurvePublicKey:
    if (jwk.kty, jwk.crv, jwk.alg, jwk.use) != ("EC", "P-256", ALG, "sig") or not jwk.kid:
        raise ValueError("not a key that verifies ES256")
    x, y = (int.from_bytes(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (jwk.x, jwk.y))
    # Refuses a point that is not on the curve.
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
