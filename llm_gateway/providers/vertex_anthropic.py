"""Anthropic's models on Google's Vertex AI: Anthropic's wire at a project's own place. The model stands in
the address, and the version of the wire in the body.

Source: https://docs.anthropic.com/en/api/claude-on-vertex-ai
"""

import re
from urllib.parse import quote

import msgspec
from msgspec import Raw

from llm_gateway.providers.anthropic import refused, said_by
from llm_gateway.providers.vertex import VertexProvider
from llm_gateway.quirks import VersionInBody
from shared.asgi import Headers
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply

_VERSION = "vertex-2023-10-16"
_BETA = b"anthropic-beta"
_PUBLISHED = "publishers/anthropic/models/"
_THEIRS = re.compile(rf"(?:projects/[^/]+/locations/[^/]+/)?{_PUBLISHED}.+|claude-[^/]+")


def is_anthropic(model: str) -> bool:
    """Whether one of Vertex's models is Anthropic's, by its name."""
    return _THEIRS.fullmatch(model) is not None


class VertexAnthropic:
    """`google` has the project and the tokens."""

    wires: tuple[str, ...] = ("anthropic",)

    def __init__(self, google: VertexProvider) -> None:
        self.name = google.name
        self.section = msgspec.structs.replace(google.section, quirks=VersionInBody(first=_VERSION))
        self._google = google

    def address(self, wire: str, model: str, *, stream: bool) -> str:
        return f"{self._place(model)}:{'streamRawPredict' if stream else 'rawPredict'}"

    def count(self, model: str, body: bytes) -> tuple[str, bytes]:
        """Where tokens are counted without a model being asked, and with what. A count is a model of its own
        there; the one that it is about stays in the body, whose `model` is not read.
        """
        found = msgspec.json.decode(body, type=dict[str, Raw])
        before, _, name = model.rpartition("/")
        asked: dict[str, object] = {**found, "model": name, "anthropic_version": _VERSION}
        address = self._place(f"{before}/count-tokens" if before else "count-tokens")
        return f"{address}:rawPredict", msgspec.json.encode(asked)

    async def prepare(self, http: HttpClient) -> None:
        """Raises UpstreamRefused where no token can be had."""
        await self._google.prepare(http)

    def headers(self, passed: Headers, *, address: str, body: bytes) -> Headers:
        """With the betas that the caller speaks: its version stands in the body."""
        betas = [header for header in passed if header[0] == _BETA]
        return self._google.headers(betas, address=address, body=body)

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        """What the model's maker says in its own words, what Google says in ours."""
        safe = self.redacted(body)
        if said_by(safe).type:
            return refused(reply, safe)
        error = self._google.refusal(reply, body)
        error.body = b""
        return error

    def redacted(self, body: bytes) -> bytes:
        return self._google.redacted(body)

    def _place(self, model: str) -> str:
        if not model.startswith("projects/"):
            model = f"{self._google.project}/{_PUBLISHED}{model.removeprefix(_PUBLISHED)}"
        return f"{self._google.stable}/{quote(model, safe='/@')}"
