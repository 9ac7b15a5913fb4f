"""Whether a token is what it says: signed by a trusted issuer, for us, of the type we expect, and valid now.

Who may do what with it is not asked here. Nothing in a token's header is trusted: it picks among known keys.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from shared.clock import Clock
from shared.errors import Unauthenticated
from shared.http_client import HttpClient
from shared.identity import jws
from shared.identity.jwks import Fetch, IssuerKeys, Keys, fetcher, kept, read
from shared.identity.signing import Signer

LEEWAY_SECONDS = 5
_MEMO_SECONDS = 60.0
_MEMO_SIZE = 10_000


class Verifier:
    """Verifies tokens of the issuers in `trust` (issuer → address or file of its key set).

    `own` is what this process signs with: it is trusted, without asking ourselves over HTTP. In the folder
    `keep` the key sets are kept, for a start at which no issuer can be asked.
    """

    def __init__(
        self,
        trust: Mapping[str, str],
        *,
        http: HttpClient,
        clock: Clock,
        own: Signer | None = None,
        hard_limit_seconds: float = 3600.0,
        keep: Path | None = None,
    ) -> None:
        self._clock = clock
        # Until when a token's signature need not be verified again. No claims: thousands of them would be
        # walked through whenever the collector looks at everything.
        self._memo: dict[bytes, float] = {}
        self._issuers: dict[str, Keys] = {
            issuer: IssuerKeys(
                _fetch(issuer, where, http, keep),
                clock,
                read,
                changed=self.forget,
                hard_limit_seconds=hard_limit_seconds,
            )
            for issuer, where in trust.items()
        }
        if own is not None:
            self._issuers[own.issuer] = _OwnKeys(own)

    async def verify(self, token: str, *, audience: str, typ: str) -> jws.Claims:
        """A valid token's claims. Raises Unauthenticated, or Unavailable where nobody can tell."""
        found = _read(token, typ)
        name = hashlib.sha256(found.signed + found.signature).digest()
        if self._memo.get(name, 0.0) <= self._clock.monotonic():
            await self._authenticate(found)
            self._remember(name)
        claims = found.claims
        _timely(claims, self._clock.now())
        # Asked every time: a token may be shown for the right audience first and for a wrong one later.
        if claims.get("aud") != audience:
            raise Unauthenticated("this token is meant for another service")
        return claims

    async def authentic(self, token: str, *, typ: str) -> jws.Claims:
        """The claims of a token that a trusted issuer signed, for whomever and whenever it is valid."""
        found = _read(token, typ)
        await self._authenticate(found)
        return found.claims

    async def _authenticate(self, found: jws.Unverified) -> None:
        issuer = found.claims.get("iss")
        keys = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if keys is None:
            raise Unauthenticated("this token's issuer is not trusted here")
        key = await keys.find(found.header.kid)
        if key is None or not found.signed_by(key):
            raise Unauthenticated("this token's signature is not one of its issuer's")

    def forget(self) -> None:
        """Drops what has been verified, so that every token is verified anew."""
        self._memo.clear()

    async def close(self) -> None:
        for keys in self._issuers.values():
            await keys.close()

    def _remember(self, name: bytes) -> None:
        if len(self._memo) >= _MEMO_SIZE:
            del self._memo[next(iter(self._memo))]
        self._memo[name] = self._clock.monotonic() + _MEMO_SECONDS


def _fetch(issuer: str, where: str, http: HttpClient, keep: Path | None) -> Fetch:
    fetch = fetcher(where, http)
    return fetch if keep is None else kept(fetch, keep / f"{issuer}.jwks.json")


class _OwnKeys:
    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    async def find(self, kid: str) -> EllipticCurvePublicKey | None:
        return self._signer.public(kid)

    async def close(self) -> None:
        pass


def _timely(claims: jws.Claims, now: float) -> None:
    """Between `nbf` and `exp`, and not issued in the future."""
    expires = _seconds(claims, "exp")
    if now >= expires + LEEWAY_SECONDS:
        raise Unauthenticated("this token has expired: get a new one")
    starts = max(_seconds(claims, "iat"), _seconds(claims, "nbf") if "nbf" in claims else 0)
    if now < starts - LEEWAY_SECONDS:
        raise Unauthenticated("this token is not valid yet: check the clocks of both machines")


def _seconds(claims: jws.Claims, name: str) -> int:
    value: Any = claims.get(name)
    # A bool is an int to Python, but no point in time.
    if type(value) is not int:
        raise Unauthenticated(f"this token's {name} is not a whole number of seconds")
    return value


def _read(token: str, typ: str) -> jws.Unverified:
    found = jws.read(token)
    if found.header.typ != typ:
        raise Unauthenticated(f"this is not a token of type {typ}")
    return found
