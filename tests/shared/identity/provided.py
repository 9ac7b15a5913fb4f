"""What the tests of identity providers stand on: one provider, and this process's view of it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from shared.clock import Clock
from shared.http_client import HttpClient
from shared.identity.issuer import Issuer
from shared.identity.issuers import Issuers
from tests.support.clock import FakeClock
from tests.support.identity_provider import AUDIENCE, IdentityProvider, provider

ALICE = {"sub": "user:{email}", "tenant": {"claim": "org"}}


class View(Struct, frozen=True):
    idp: IdentityProvider
    clock: FakeClock
    http: HttpClient

    def issuer(self, **changed: Any) -> Issuer:
        """The provider as an operator would write it."""
        told = {"issuer": self.idp.url, "audiences": [AUDIENCE], "principals": [ALICE]} | changed
        return msgspec.convert(told, Issuer)

    @contextlib.asynccontextmanager
    async def issuers(self, clock: Clock | None = None, **changed: Any) -> AsyncIterator[Issuers]:
        issuers = Issuers([self.issuer(**changed)], http=self.http, clock=clock or self.clock)
        try:
            yield issuers
        finally:
            await issuers.close()


@pytest.fixture
async def view() -> AsyncIterator[View]:
    clock, http = FakeClock(), HttpClient()
    async with provider(clock) as idp:
        yield View(idp, clock, http)
        await http.close()
