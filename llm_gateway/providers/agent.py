"""Agents that answer in the place of models. They are asked through the edge (`base_url`), on behalf of the
caller: the credential of each call comes with the call, there is none of the provider's own.
"""

from llm_gateway.config import ProviderSection
from llm_gateway.providers.refusals import refusal, waits
from shared.asgi import Headers
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply

WIRE = "a2a"
_OWN_HEADERS = [
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/event-stream"),
    (b"accept-encoding", b"identity"),
    (b"a2a-version", b"1.0"),
]


class AgentProvider:
    def __init__(self, name: str, section: ProviderSection) -> None:
        self.name = name
        self.section = section
        self.wires: tuple[str, ...] = (WIRE,)
        self._base = section.base_url.rstrip("/")

    def address(self, wire: str, model: str, *, stream: bool) -> str:
        return f"{self._base}/agents/{model}"

    async def prepare(self, http: HttpClient) -> None:
        pass

    def headers(self, passed: Headers, *, address: str, body: bytes) -> Headers:
        return [*_OWN_HEADERS, *passed]

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        return refusal(reply.status, words="", body=b"", retry_after=waits(reply))

    def redacted(self, body: bytes) -> bytes:
        return body
