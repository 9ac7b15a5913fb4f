"""Any provider with OpenAI's paths, headers and errors: OpenAI itself, local runtimes, most hosted ones.
Those in the table `llm_gateway/known.json` need no more than their name and a key.
"""

import msgspec

from llm_gateway.config import ProviderSection
from llm_gateway.known import Known, table
from llm_gateway.providers import openai_errors
from llm_gateway.providers.keys import credentials, secrets_of
from llm_gateway.providers.refusals import refusal, waits
from shared.asgi import Headers
from shared.clock import Clock
from shared.config import Secret
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply

CHAT, RESPONSES = "openai_chat", "openai_responses"
_OWN_HEADERS = [(b"content-type", b"application/json"), (b"accept-encoding", b"identity")]
_PATHS = {CHAT: "/chat/completions", RESPONSES: "/responses"}
_UNKNOWN = Known(base_url="", source="")


class OpenAICompatible:
    def __init__(self, name: str, section: ProviderSection, clock: Clock | None = None) -> None:
        self.name = name
        self.section = completed(name, section)
        self.wires: tuple[str, ...] = self.section.wires or (CHAT,)
        base = self.section.base_url.rstrip("/")
        self._addresses = {wire: base + path for wire, path in (_PATHS | self.section.paths).items()}
        self._credentials = credentials(self.section, self._headers_with, clock or Clock())
        self._secrets = secrets_of(self.section)

    def address(self, wire: str, model: str, *, stream: bool) -> str:
        return self._addresses[wire]

    async def prepare(self, http: HttpClient) -> None:
        pass

    def headers(self, passed: Headers, *, address: str, body: bytes) -> Headers:
        return self._credentials.headers(passed)

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        said = openai_errors.read(self.redacted(body), reply.status)
        return refusal(
            reply.status, words=said.message, body=said.body, retry_after=waits(reply), code=said.code
        )

    def redacted(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret, b"***")
        return body

    def _headers_with(self, key: Secret) -> Headers:
        section = self.section
        sent = {header: value.reveal() for header, value in section.headers.items()}
        if key:
            sent[section.key_header or "authorization"] = (section.key_prefix or "") + key.reveal()
        return [*_OWN_HEADERS, *((name.encode(), value.encode()) for name, value in sent.items())]


def completed(name: str, section: ProviderSection) -> ProviderSection:
    """`section` with what it does not say taken from its row of the table: the one that `known` names or,
    where it has no address either, the one called like the provider.
    """
    row = _UNKNOWN
    if section.known or not section.base_url:
        row = table()[section.known or name]
    return msgspec.structs.replace(
        section,
        base_url=section.base_url or row.base_url,
        key_header=_first(section.key_header, row.key_header),
        key_prefix=_first(section.key_prefix, row.key_prefix),
        counts_streams=row.counts_streams if section.counts_streams is None else section.counts_streams,
        wires=section.wires or row.wires,
        paths={**row.paths, **section.paths},
        quirks=section.quirks or row.quirks,
    )


def _first(said: str | None, otherwise: str) -> str:
    return otherwise if said is None else said
