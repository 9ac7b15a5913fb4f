"""Tokens from token endpoints (RFC 6749 section 5), whatever the grant; and what is remembered of them."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from mcp_gateway.credentials.assertions import Assertions
from mcp_gateway.credentials.challenge import scopes_of
from mcp_gateway.credentials.client import OAuthClient, proved
from mcp_gateway.credentials.outside import Form, Outside, decoded
from shared.clock import Clock
from shared.errors import UpstreamBroken, UpstreamRefused

UNKNOWN_CLIENT = "invalid_client"
_NOT_TOLD_SECONDS = 300.0
_SKEW_SECONDS = 30.0
_MOST = 10_000
_WORD = frozenset("abcdefghijklmnopqrstuvwxyz_")
# What can stand in a header, and nothing else (RFC 6750 section 2.1, more generously).
TokenText = Annotated[str, Meta(min_length=1, max_length=16_384, pattern="^[!-~]+$")]


class _Answer(Struct, frozen=True):
    access_token: TokenText
    token_type: str = ""
    expires_in: Annotated[float, Meta(ge=0)] | None = None
    refresh_token: TokenText | None = None
    scope: str | None = None
    issued_token_type: str = ""


class _Refusal(Struct, frozen=True):
    error: str = ""


class Token(Struct, frozen=True, kw_only=True):
    """`expires_at` in seconds since 1970. `scopes` is None where nothing was said: what was asked for."""

    text: str
    expires_at: float
    refresh: str = ""
    scopes: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"Token(expires_at={self.expires_at})"

    def good(self, now: float) -> bool:
        """Whether it will still be when it arrives."""
        return now < self.expires_at - _SKEW_SECONDS


class TokenRefused(UpstreamRefused):
    """`error` is the authorization server's own word for it."""

    def __init__(self, error: str, status: int) -> None:
        word = error if 0 < len(error) < 64 and set(error) <= _WORD else "no reason"
        super().__init__(
            f"the authorization server gave no token: {word}", upstream_status=status, retryable=False
        )
        self.error = error


class Tokens:
    """Asks token endpoints."""

    def __init__(self, outside: Outside, assertions: Assertions, clock: Clock) -> None:
        self._outside = outside
        self._assertions = assertions
        self._clock = clock

    async def ask(self, url: str, client: OAuthClient, form: Form, *, issued: str = "") -> Token:
        """A token for `form`. With `issued` it must be of that type, and need not be a bearer token.

        Raises TokenRefused, UpstreamFault.
        """
        sent, headers = proved(client, form, url, self._assertions)
        status, body = await self._outside.post(url, sent, headers)
        if status != 200:
            raise TokenRefused(_word(body), status)
        answer = decoded(body, _Answer, url)
        if issued and answer.issued_token_type != issued:
            raise UpstreamBroken("the authorization server issued a token of another type than was asked for")
        if not issued and answer.token_type.lower() != "bearer":
            raise UpstreamBroken("the authorization server issued a token that is no bearer token")
        lasts = _NOT_TOLD_SECONDS if answer.expires_in is None else answer.expires_in
        return Token(
            text=answer.access_token,
            expires_at=self._clock.now() + lasts,
            refresh=answer.refresh_token or "",
            scopes=scopes_of(answer.scope) if answer.scope is not None else None,
        )

    async def revoke(self, url: str, client: OAuthClient, text: str) -> None:
        """Tells the server that nobody needs a token any more (RFC 7009). Raises UpstreamFault."""
        sent, headers = proved(client, {"token": text}, url, self._assertions)
        await self._outside.post(url, sent, headers)


class TokenCache:
    """Tokens by exactly what they were asked for, in this process only, until shortly before they expire."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: OrderedDict[Hashable, Token] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Lock] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Token]]) -> Token:
        """The token of `key`; one question for all who want it at once."""
        if (token := self._good(key)) is not None:
            return token
        lock = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                if (token := self._good(key)) is None:
                    token = await ask()
                    self._keep(key, token)
        finally:
            if not lock.locked():
                self._asking.pop(key, None)
        return token

    def drop(self, key: Hashable, text: str) -> bool:
        """Forgets a token that was not accepted; False when it is not the one that would be sent now."""
        token = self._tokens.get(key)
        if token is None or token.text != text:
            return False
        del self._tokens[key]
        return True

    def _good(self, key: Hashable) -> Token | None:
        token = self._tokens.get(key)
        if token is None or not token.good(self._clock.now()):
            return None
        self._tokens.move_to_end(key)
        return token

    def _keep(self, key: Hashable, token: Token) -> None:
        self._tokens[key] = token
        if len(self._tokens) > _MOST:
            self._tokens.popitem(last=False)


def _word(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, RecursionError):
        return ""
