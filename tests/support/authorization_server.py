"""An OAuth authorization server as third parties run them: it holds every party to the letter of RFC 6749,
7591, 7636, 7523, 8414, 8693, 8707, 9207, and remembers what it was asked. Its knobs make it go wrong in one
way each.
"""

import asyncio
import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Fields = dict[str, str]


class Refused(Exception):
    def __init__(self, error: str, status: int = 400) -> None:
        self.error, self.status = error, status


class AuthorizationServer:
    """`url` is set once it is served. `user` is who is signed in, in every browser that comes by."""

    def __init__(self, *, seconds: int = 3600, **metadata: Any) -> None:
        self.url = ""
        self.user = "alice@example.com"
        self.seconds = seconds
        self.metadata = metadata
        self.iss: str | None = "own"
        self.clients: dict[str, str] = {"gateway": "gateway-secret"}
        self.documents = False
        self.keys: dict[str, Any] = {}
        self.trusted: dict[str, Any] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.refreshes: dict[str, dict[str, Any]] = {}
        self.asked: list[Fields] = []
        self.authorized: list[Fields] = []
        self.registered: list[dict[str, Any]] = []
        self.revoked: list[str] = []
        self.reused = 0
        self.broken = False
        self.hold: asyncio.Event | None = None
        self.app = Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", self._metadata),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/register", self._register, methods=["POST"]),
                Route("/revoke", self._revoke, methods=["POST"]),
            ]
        )

    @property
    def grants(self) -> list[str]:
        return [fields["grant_type"] for fields in self.asked]

    async def _metadata(self, request: Request) -> Response:
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "revocation_endpoint": f"{self.url}/revoke",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse(
            {name: value for name, value in (told | self.metadata).items() if value is not None}
        )

    async def _authorize(self, request: Request) -> Response:
        wanted = dict(request.query_params)
        self.authorized.append(wanted)
        if not self._is_client(wanted["client_id"]) or wanted.get("response_type") != "code":
            return JSONResponse({"error": "invalid_request"}, 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = wanted | {"user": self.user}
        answer = {"code": code, "state": wanted["state"]}
        if self.iss is not None:
            answer["iss"] = self.url if self.iss == "own" else self.iss
        return RedirectResponse(f"{wanted['redirect_uri']}?{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        body = (await request.body()).decode()
        fields = {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
        self.asked.append(fields)
        if self.broken:
            return JSONResponse({}, 503)
        try:
            client = self._client(request, fields)
            answer = {
                "authorization_code": self._code,
                "refresh_token": self._refresh,
                "client_credentials": self._own,
                EXCHANGE: self._exchange,
                JWT_BEARER: self._assertion,
            }[fields["grant_type"]](client, fields)
        except Refused as refused:
            return JSONResponse({"error": refused.error}, refused.status)
        if self.hold is not None:
            await self.hold.wait()
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    def _code(self, client: str, fields: Fields) -> dict[str, Any]:
        asked = self.codes.pop(fields["code"], None)
        if asked is None or asked["client_id"] != client or asked["redirect_uri"] != fields["redirect_uri"]:
            raise Refused("invalid_grant")
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            raise Refused("invalid_grant")
        if asked.get("resource") != fields.get("resource"):
            raise Refused("invalid_target")
        return self._issue(asked["user"], client, asked.get("scope", ""), asked["resource"], refresh=True)

    def _refresh(self, client: str, fields: Fields) -> dict[str, Any]:
        held = self.refreshes.pop(fields["refresh_token"], None)
        if held is None or held["client"] != client:
            # RFC 9700 section 4.14.2: somebody uses it twice, so that nobody may go on with what came of it.
            self.reused += held is None
            self.refreshes.clear()
            raise Refused("invalid_grant")
        return self._issue(held["sub"], client, held["scope"], held["resource"], refresh=True)

    def _own(self, client: str, fields: Fields) -> dict[str, Any]:
        return self._issue(client, client, fields.get("scope", ""), fields["resource"])

    def _exchange(self, client: str, fields: Fields) -> dict[str, Any]:
        subject = self._subject(fields["subject_token"])
        if fields.get("requested_token_type") != ID_JAG:
            told = self._issue(
                subject["sub"], client, fields.get("scope", ""), fields["resource"], act=subject.get("act")
            )
            return told | {"issued_token_type": ACCESS_TOKEN}
        claims = {"sub": subject["sub"], "aud": fields["audience"], "client_id": client, "iss": self.url}
        claims |= {
            "resource": fields["resource"],
            "scope": fields.get("scope", ""),
            "jti": secrets.token_hex(8),
        }
        grant = jwt.encode(claims, "k" * 32, "HS256", headers={"typ": "oauth-id-jag+jwt"})
        return {"access_token": grant, "issued_token_type": ID_JAG, "token_type": "N_A", "expires_in": 60}

    def _assertion(self, client: str, fields: Fields) -> dict[str, Any]:
        try:
            claims = jwt.decode(fields["assertion"], "k" * 32, ["HS256"], audience=self.url)
        except jwt.PyJWTError as error:
            raise Refused("invalid_grant") from error
        if jwt.get_unverified_header(fields["assertion"])["typ"] != "oauth-id-jag+jwt":
            raise Refused("invalid_grant")
        if claims["iss"] not in self.trusted:
            raise Refused("invalid_grant")
        return self._issue(claims["sub"], client, claims["scope"], claims["resource"])

    def _issue(
        self, sub: str, client: str, scope: str, resource: str, *, refresh: bool = False, act: Any = None
    ) -> dict[str, Any]:
        token = f"at-{secrets.token_urlsafe(24)}"
        self.tokens[token] = {"sub": sub, "scope": scope, "resource": resource, "act": act}
        told = {"access_token": token, "token_type": "Bearer", "expires_in": self.seconds, "scope": scope}
        if refresh:
            again = f"rt-{secrets.token_urlsafe(24)}"
            self.refreshes[again] = {"sub": sub, "client": client, "scope": scope, "resource": resource}
            told["refresh_token"] = again
        return told

    def _subject(self, token: str) -> dict[str, Any]:
        """Whom the gateway asks for, as its own key says."""
        try:
            key = self.keys[jwt.get_unverified_header(token)["kid"]]
            found: dict[str, Any] = jwt.decode(token, key, ["ES256"], audience=f"{self.url}/token")
        except (jwt.PyJWTError, KeyError) as error:
            raise Refused("invalid_request") from error
        return found

    def _client(self, request: Request, fields: Fields) -> str:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = base64.b64decode(given).decode().partition(":")
            name, secret = unquote_plus(name), unquote_plus(secret)
        elif fields.get("client_assertion_type") == _CLIENT_ASSERTION:
            claims = self._subject(fields["client_assertion"])
            if claims["iss"] != claims["sub"] or claims["sub"] != fields["client_id"]:
                raise Refused("invalid_client", 401)
            return fields["client_id"]
        else:
            name, secret = fields.get("client_id", ""), fields.get("client_secret", "")
        if not self._is_client(name) or self.clients.get(name, "") != secret:
            raise Refused("invalid_client", 401)
        return name

    def _is_client(self, name: str) -> bool:
        return name in self.clients or (self.documents and name.startswith("https://"))

    async def _register(self, request: Request) -> Response:
        described = json.loads(await request.body())
        self.registered.append(described)
        name = f"client-{len(self.registered)}"
        self.clients[name] = ""
        return JSONResponse(described | {"client_id": name}, 201)

    async def _revoke(self, request: Request) -> Response:
        fields = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.revoked.append(fields["token"])
        self.refreshes.pop(fields["token"], None)
        return Response(status_code=200)
