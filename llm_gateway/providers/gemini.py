"""Google's Gemini API, with an API key."""

import re
from urllib.parse import quote

from llm_gateway.config import ProviderSection
from llm_gateway.formats.gemini.failure import Failure
from llm_gateway.providers.keys import credentials, secrets_of
from llm_gateway.providers.refusals import refusal, waits
from shared.asgi import Headers
from shared.clock import Clock
from shared.config import Secret
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply

WIRE = "gemini"
_OWN_HEADERS = [(b"content-type", b"application/json"), (b"accept-encoding", b"identity")]
_VERBS = {False: ":generateContent", True: ":streamGenerateContent?alt=sse"}
_VERSIONED = re.compile(r"/v\d+[a-z0-9]*$")
# The caller has no part in these, though Google answers them with a 400: our key, our bill, our country.
_OURS = frozenset(("API_KEY_INVALID", "API_KEY_EXPIRED", "FAILED_PRECONDITION"))
_KEY_IN_ADDRESS = re.compile(rb"([?&]key=)[^&\"'\s\\]+")
_BEARER = re.compile(rb"(?i)(bearer )[a-z0-9._~+/=-]{16,}")


class GeminiProvider:
    default_url = "https://generativelanguage.googleapis.com"
    version = "/v1beta"
    key_header, key_prefix = "x-goog-api-key", ""

    def __init__(self, name: str, section: ProviderSection, clock: Clock | None = None) -> None:
        self.name = name
        self.section = section
        self.wires: tuple[str, ...] = (WIRE,)
        base = (section.base_url or self.default_url).rstrip("/")
        self._base = base if _VERSIONED.search(base) else base + self.version
        self._credentials = credentials(section, self._headers_with, clock or Clock())
        self._secrets = secrets_of(section)

    def address(self, wire: str, model: str, *, stream: bool) -> str:
        return self.place(model) + _VERBS[stream]

    def place(self, model: str) -> str:
        """A model's address, to which verbs are put: `:countTokens`, `:batchEmbedContents`."""
        path = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
        return f"{self._base}/{quote(path)}"

    async def prepare(self, http: HttpClient) -> None:
        pass

    def headers(self, passed: Headers, *, address: str, body: bytes) -> Headers:
        return self._credentials.headers(passed)

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        body = self.redacted(body)
        failure = Failure.read(body) or Failure()
        status = 403 if reply.status == 400 and _is_ours(failure) else reply.status
        wait = failure.retry_after if failure.retry_after is not None else waits(reply)
        # A page of some proxy's is no answer to a client that expects JSON.
        shown = body if failure.message else b""
        return refusal(
            status, words=failure.message, body=shown, retry_after=wait, code=failure.status or None
        )

    def redacted(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret, b"***")
        return _BEARER.sub(rb"\1***", _KEY_IN_ADDRESS.sub(rb"\1***", body))

    def _headers_with(self, key: Secret) -> Headers:
        section = self.section
        sent = {header: value.reveal() for header, value in section.headers.items()}
        if key:
            prefix = self.key_prefix if section.key_prefix is None else section.key_prefix
            sent[section.key_header or self.key_header] = prefix + key.reveal()
        return [*_OWN_HEADERS, *((name.encode(), value.encode()) for name, value in sent.items())]


def _is_ours(failure: Failure) -> bool:
    return bool(_OURS.intersection((failure.status, *failure.reasons)))
