"""An access token of a Google service account: fetched when first needed, renewed while it is still good."""

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from shared.clock import Clock
from shared.errors import UpstreamFault, UpstreamRefused
from shared.http_client import HttpClient
from shared.identity.grant import ServiceAccount

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_HEADERS = [("content-type", "application/x-www-form-urlencoded"), ("accept-encoding", "identity")]
_AHEAD_SECONDS = 300.0
_AGAIN_SECONDS = 30.0
_TIMEOUT_SECONDS = 10.0
_LONGEST_REPLY = 65_536


class _Granted(Struct, frozen=True):
    access_token: Annotated[str, Meta(min_length=1, max_length=8192, pattern="^[!-~]+$")]
    expires_in: Annotated[float, Meta(gt=0, le=86_400)] = 3600.0


class GoogleToken:
    """`value` is empty until `fresh` has returned once."""

    def __init__(self, account: ServiceAccount, clock: Clock) -> None:
        self.value = ""
        self._account = account
        self._clock = clock
        self._renew_at = self._ends_at = 0.0
        self._lock = asyncio.Lock()

    async def fresh(self, http: HttpClient) -> None:
        """Sees to it that `value` is good. Raises UpstreamRefused where no token can be had.

        One call in an hour waits for the new one; the others go on with the old one meanwhile.
        """
        now = self._clock.monotonic()
        if now < self._renew_at or (now < self._ends_at and self._lock.locked()):
            return
        async with self._lock:
            if self._clock.monotonic() >= self._renew_at:
                await self._renew(http)

    def forget(self) -> None:
        """It was refused though it should be good."""
        self._renew_at = self._ends_at = 0.0

    async def _renew(self, http: HttpClient) -> None:
        now = self._clock.monotonic()
        try:
            granted = await self._granted(http)
        except (UpstreamFault, ValueError) as error:
            if now >= self._ends_at:
                raise UpstreamRefused(
                    "the provider has given this gateway no token", upstream_status=502, retryable=True
                ) from error
            self._renew_at = min(now + _AGAIN_SECONDS, self._ends_at)
            return
        self.value = granted.access_token
        self._ends_at = now + granted.expires_in
        self._renew_at = now + max(granted.expires_in - _AHEAD_SECONDS, granted.expires_in / 2)

    async def _granted(self, http: HttpClient) -> _Granted:
        """Raises UpstreamFault, ValueError."""
        reply = await http.send(
            "POST",
            self._account.token_uri,
            headers=_HEADERS,
            body=self._account.form(self._clock.now(), _SCOPE),
            header_timeout=_TIMEOUT_SECONDS,
            idle_timeout=_TIMEOUT_SECONDS,
        )
        async with reply:
            body = await reply.read(_LONGEST_REPLY)
        if reply.status != 200:
            raise ValueError(f"the token endpoint answered with status {reply.status}")
        return msgspec.json.decode(body, type=_Granted)
