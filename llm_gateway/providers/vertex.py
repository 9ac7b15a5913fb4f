"""Gemini on Google's Vertex AI: the same wire at a project's own place, with tokens instead of keys."""

import re
from urllib.parse import quote

from llm_gateway.config import ProviderSection
from llm_gateway.providers.gemini import GeminiProvider
from llm_gateway.providers.google_token import GoogleToken
from shared.asgi import Headers
from shared.clock import Clock
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply
from shared.identity.grant import ServiceAccount

_MULTI_REGIONS = frozenset(("us", "eu"))
_SHORTEST_SECRET = 6


class VertexProvider(GeminiProvider):
    """`prepare` must be awaited before `headers`: a service account's tokens last an hour."""

    version = "/v1beta1"
    key_header, key_prefix = "authorization", "Bearer "

    def __init__(self, name: str, section: ProviderSection, clock: Clock | None = None) -> None:
        self.default_url = _host(section.region)
        super().__init__(name, section, clock)
        # For what is no part of the preview.
        self.stable = re.sub(f"{self.version}$", "/v1", self._base)
        self.project = f"projects/{section.project}/locations/{section.region}"
        account = section.service_account.reveal()
        self._token = GoogleToken(ServiceAccount.read(account), clock or Clock()) if account else None

    def place(self, model: str) -> str:
        if model.startswith("projects/"):
            path = model
        elif model.startswith(("publishers/", "endpoints/")):
            path = f"{self.project}/{model}"
        else:
            path = f"{self.project}/publishers/google/models/{model}"
        return f"{self._base}/{quote(path)}"

    async def prepare(self, http: HttpClient) -> None:
        """Raises UpstreamRefused where no token can be had."""
        if self._token is not None:
            await self._token.fresh(http)

    def headers(self, passed: Headers, *, address: str, body: bytes) -> Headers:
        own = super().headers(passed, address=address, body=body)
        if self._token is None:
            return own
        return [*own, (b"authorization", f"Bearer {self._token.value}".encode())]

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        if reply.status == 401 and self._token is not None:
            self._token.forget()
        return super().refusal(reply, body)

    def redacted(self, body: bytes) -> bytes:
        token = self._token.value.encode() if self._token is not None else b""
        if len(token) >= _SHORTEST_SECRET:
            body = body.replace(token, b"***")
        return super().redacted(body)


def _host(region: str) -> str:
    if region in ("", "global"):
        return "https://aiplatform.googleapis.com"
    if region in _MULTI_REGIONS:
        return f"https://aiplatform.{region}.rep.googleapis.com"
    return f"https://{region}-aiplatform.googleapis.com"
