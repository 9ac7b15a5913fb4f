"""The identity providers that this process takes tokens of: their keys, and what has been verified."""

import functools
import hashlib
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from shared.clock import Clock
from shared.egress import Egress
from shared.errors import Unavailable
from shared.http_client import HttpClient
from shared.identity import issuer_token
from shared.identity.issuer import Issuer
from shared.identity.issuer_claims import principal
from shared.identity.jwks import IssuerKeys
from shared.identity.principal import Principal

_DISCOVERY = "/.well-known/openid-configuration"
_MAX_BYTES = 256 * 1024
_FETCH_SECONDS = 5.0
_MEMO_SECONDS = 60.0
_MEMO_SIZE = 10_000


class _Known(Struct, frozen=True):
    """A token that has been verified: whom it names, its own end, and until when that need not be done
    again.
    """

    principal: Principal
    expires: float
    until: float


class _Document(Struct):
    """A discovery document as far as we care (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    jwks_uri: str


class Issuers:
    """`egress` looks at addresses that no operator has written: keys on another host than their issuer's."""

    def __init__(
        self, issuers: Sequence[Issuer], *, http: HttpClient, clock: Clock, egress: Egress | None = None
    ) -> None:
        self._clock = clock
        self._memo: dict[bytes, _Known] = {}
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        places = _Places(http, egress or Egress())
        self._keys = {
            issuer.issuer: IssuerKeys(
                functools.partial(places.key_set, issuer),
                clock,
                issuer_token.read_keys,
                changed=self.forget,
                hard_limit_seconds=issuer.keys_hard_limit_seconds,
            )
            for issuer in issuers
        }

    async def principal(self, token: str, reserved: Collection[str] = ()) -> Principal | None:
        """Whom `token` names; None where it is of no issuer that is known here. A tenant of `reserved` counts
        only where an operator has written that the issuer may name it. Raises Unauthenticated, Unavailable.
        """
        name = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._memo.get(name)
        if known is None or known.until <= self._clock.monotonic() or known.expires <= self._clock.now():
            issuer = self._issuers.get(issuer_token.outside(token))
            if issuer is None:
                return None
            known = await self._verified(token, issuer, reserved)
            self._remember(name, known)
        return known.principal

    def forget(self) -> None:
        """Drops what has been verified, so that every token is verified anew."""
        self._memo.clear()

    async def close(self) -> None:
        for keys in self._keys.values():
            await keys.close()

    async def _verified(self, token: str, issuer: Issuer, reserved: Collection[str]) -> _Known:
        presented = issuer_token.read(token)
        issuer_token.check_header(presented.header, issuer)
        key = await self._keys[issuer.issuer].find(presented.header.kid)
        issuer_token.check_signature(presented, key)
        issuer_token.check_claims(presented.claims, issuer, self._clock.now())
        return _Known(
            principal(presented.claims, issuer, reserved),
            issuer_token.expiry(presented.claims),
            self._clock.monotonic() + _MEMO_SECONDS,
        )

    def _remember(self, name: bytes, known: _Known) -> None:
        if len(self._memo) >= _MEMO_SIZE:
            del self._memo[next(iter(self._memo))]
        self._memo[name] = known


class _Places:
    """Fetches key sets, and the discovery documents that say where they are. Redirects are not followed."""

    def __init__(self, http: HttpClient, egress: Egress) -> None:
        self._http = http
        self._egress = egress

    async def key_set(self, issuer: Issuer) -> bytes:
        if issuer.jwks_url:
            return await self._get(issuer.jwks_url)
        described = await self._get(issuer.issuer.rstrip("/") + _DISCOVERY)
        try:
            document = msgspec.json.decode(described, type=_Document)
        except (ValueError, RecursionError) as error:
            raise Unavailable("the issuer's discovery document is none", cause=error) from error
        if document.issuer != issuer.issuer:
            raise Unavailable("the issuer's discovery document speaks for another issuer")
        return await self._get(document.jwks_uri, beside=issuer.issuer)

    async def _get(self, url: str, beside: str = "") -> bytes:
        """`beside` is what an operator wrote, where `url` is only what was found there."""
        pinned = None
        if beside and urlsplit(url)[:2] != urlsplit(beside)[:2]:
            if urlsplit(url).scheme != "https" and urlsplit(beside).scheme == "https":
                raise Unavailable("the keys of an https issuer come over https")
            pinned = await self._egress.check(url)
        reply = await self._http.send(
            "GET",
            url,
            headers=[("accept", "application/json")],
            header_timeout=_FETCH_SECONDS,
            pinned=pinned,
        )
        async with reply:
            if reply.status != 200:
                raise Unavailable(f"the issuer answered {reply.status}")
            return await reply.read(_MAX_BYTES)
