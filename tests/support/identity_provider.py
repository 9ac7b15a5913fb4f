"""An OpenID provider on a real socket, as far as gateways see one: a discovery document, a key set that
rotates, and signed tokens, right ones and any kind of wrong ones (PyJWT signs them).

async with provider() as idp:
    idp.token(email="alice@example.com")
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shared.clock import Clock
from tests.support.serve import serving

AUDIENCE = "gatestack"
_JWK: dict[str, Any] = {
    "RS256": jwt.algorithms.RSAAlgorithm,
    "PS256": jwt.algorithms.RSAAlgorithm,
    "ES256": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}


class IdentityProvider:
    """`asked` counts requests for keys. `down` is a status that it answers with instead, `hold` keeps its
    answers back, `calls_itself` is the issuer in its discovery document, `keys_at` where that says keys are.
    """

    def __init__(self, clock: Clock) -> None:
        self.url = ""
        self.asked = 0
        self.down = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.calls_itself = ""
        self.keys_at = ""
        self.padding = 0
        self.private: dict[str, Any] = {}
        self.algorithm: dict[str, str] = {}
        self.published: list[str] = []
        self._clock = clock
        self.add("one")

    def add(self, kid: str, alg: str = "RS256", *, publish: bool = True) -> None:
        """A new key that signs with `alg`."""
        make = {
            "ES256": lambda: new_ec(SECP256R1()),
            "EdDSA": Ed25519PrivateKey.generate,
        }.get(alg, lambda: new_rsa(public_exponent=65537, key_size=2048))
        self.private[kid], self.algorithm[kid] = make(), alg
        if publish:
            self.published.append(kid)

    def rotate(self, old: str, new: str) -> None:
        """From now on `new` is published, and `old` is not."""
        self.add(new)
        self.published.remove(old)

    def jwk(self, kid: str) -> dict[str, Any]:
        alg = self.algorithm[kid]
        found = _JWK[alg].to_jwk(self.private[kid].public_key(), as_dict=True)
        return {**found, "kid": kid, "alg": alg, "use": "sig"}

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(self._clock.now())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "248289761001",
            "email": "alice@example.com",
            "org": "acme",
            "iat": now,
            "exp": now + 300,
        } | changed
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, kid: str = "one", header: dict[str, Any] | None = None, **changed: Any) -> str:
        """Signed with the key `kid`, with `changed` claims (None leaves one out) and header members."""
        headers = {"kid": kid, **(header or {})}
        return jwt.encode(self.claims(**changed), self.private[kid], self.algorithm[kid], headers=headers)

    async def _keys(self, _: Request) -> Response:
        self.asked += 1
        await self.hold.wait()
        if self.down in (301, 302, 307):
            return RedirectResponse(f"{self.url}/elsewhere", self.down)
        if self.down:
            return Response(status_code=self.down)
        return JSONResponse(
            {"keys": [self.jwk(kid) for kid in self.published], "padding": "x" * self.padding}
        )

    async def _elsewhere(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.jwk(kid) for kid in self.published]})

    async def _discovery(self, _: Request) -> Response:
        keys_at = self.keys_at or f"{self.url}/keys"
        return JSONResponse({"issuer": self.calls_itself or self.url, "jwks_uri": keys_at})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/keys", self._keys),
                Route("/elsewhere", self._elsewhere),
                Route("/.well-known/openid-configuration", self._discovery),
            ]
        )


@contextlib.asynccontextmanager
async def provider(clock: Clock | None = None) -> AsyncIterator[IdentityProvider]:
    idp = IdentityProvider(clock or Clock())
    async with serving(idp.app()) as url:
        idp.url = url
        try:
            yield idp
        finally:
            idp.hold.set()
