"""Anthropic, and whoever else has its path, headers and errors."""

import msgspec
from msgspec import Struct

from llm_gateway.config import ProviderSection
from llm_gateway.providers.keys import credentials, secrets_of
from llm_gateway.providers.refusals import refusal, waits
from shared.asgi import Headers
from shared.clock import Clock
from shared.config import Secret
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply

# The last version with temperature, top_p and top_k: what callers of other formats say must be sayable.
VERSION = b"2023-06-01"
_VERSION, _BETA = b"anthropic-version", b"anthropic-beta"
_PATH = "/v1/messages"
# An account without money is told as a mistake in the request.
_UNPAID = "credit balance"
_OWN_HEADERS = [(b"content-type", b"application/json"), (b"accept-encoding", b"identity")]


class Said(Struct, frozen=True):
    message: str = ""
    type: str = ""


class _Answer(Struct, frozen=True):
    error: Said = Said()


_decode = msgspec.json.Decoder(_Answer).decode


class AnthropicProvider:
    """The key goes out as `x-api-key`, unless `key_header` and `key_prefix` say otherwise."""

    default_url = "https://api.anthropic.com"
    key_header, key_prefix = "x-api-key", ""

    def __init__(self, name: str, section: ProviderSection, clock: Clock | None = None) -> None:
        self.name = name
        self.section = section
        self.wires: tuple[str, ...] = ("anthropic",)
        self._base = (section.base_url or self.default_url).rstrip("/").removesuffix("/v1")
        self._betas = [
            value.reveal().encode() for header, value in section.headers.items() if header.encode() == _BETA
        ]
        self._pinned = _VERSION.decode() in section.headers
        self._credentials = credentials(section, self._headers_with, clock or Clock())
        self._secrets = secrets_of(section)

    def address(self, wire: str, model: str, *, stream: bool) -> str:
        return self._base + _PATH

    def count_address(self) -> str:
        """Where tokens are counted without a model being asked."""
        return f"{self._base}{_PATH}/count_tokens"

    async def prepare(self, http: HttpClient) -> None:
        pass

    def headers(self, passed: Headers, *, address: str, body: bytes) -> Headers:
        """With the version and the betas that the caller speaks, unless this provider is pinned to its
        own.
        """
        spoken: list[tuple[bytes, bytes]] = []
        if not self._pinned:
            spoken.append((_VERSION, next((value for name, value in passed if name == _VERSION), VERSION)))
        betas = [*self._betas, *(value for name, value in passed if name == _BETA)]
        if betas:
            spoken.append((_BETA, b",".join(betas)))
        return self._credentials.headers(spoken)

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        return refused(reply, self.redacted(body))

    def redacted(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret, b"***")
        return body

    def _headers_with(self, key: Secret) -> Headers:
        section = self.section
        sent = {header: value.reveal() for header, value in section.headers.items()}
        sent.pop(_BETA.decode(), None)
        if key:
            prefix = self.key_prefix if section.key_prefix is None else section.key_prefix
            sent[section.key_header or self.key_header] = prefix + key.reveal()
        return [*_OWN_HEADERS, *((name.encode(), value.encode()) for name, value in sent.items())]


def refused(reply: Reply, body: bytes) -> UpstreamRefused:
    """What an error of Anthropic's means; `body` is without secrets."""
    said = said_by(body)
    status = 402 if reply.status == 400 and _UNPAID in said.message else reply.status
    return refusal(
        status,
        words=said.message,
        body=body if said.message else b"",
        retry_after=waits(reply),
        code=said.type or None,
    )


def said_by(body: bytes) -> Said:
    """What an error says, nothing where it is none of Anthropic's."""
    try:
        return _decode(body).error
    except (ValueError, RecursionError):
        return Said()
