"""Amazon Bedrock: models behind Converse, called with an AWS account's signature or with an API key."""

from urllib.parse import quote

from llm_gateway.config import ProviderSection
from llm_gateway.formats.bedrock.errors import message_of, status_of
from llm_gateway.providers.keys import credentials, secrets_of
from llm_gateway.providers.refusals import refusal, waits
from llm_gateway.providers.sigv4 import Account, Signer
from shared.asgi import Headers
from shared.clock import Clock
from shared.config import Secret
from shared.errors import UpstreamRefused
from shared.http_client import HttpClient, Reply

_OWN_HEADERS = [(b"content-type", b"application/json"), (b"accept-encoding", b"identity")]
_SIGNED = {"content-type": "application/json"}


class BedrockProvider:
    wires: tuple[str, ...] = ("bedrock",)

    def __init__(self, name: str, section: ProviderSection, clock: Clock | None = None) -> None:
        self.name = name
        self.section = section
        self._clock = clock or Clock()
        self._base = section.base_url.rstrip("/") or f"https://bedrock-runtime.{section.region}.amazonaws.com"
        self._signer = _signer(section)
        self._credentials = credentials(section, self._headers_with, self._clock)
        self._secrets = secrets_of(section)

    def address(self, wire: str, model: str, *, stream: bool) -> str:
        """`model` may be an ARN: its slashes are no part of the path. Colons stay: the HTTP client
        would write them so anyway, and a signature holds what is sent.
        """
        return f"{self._base}/model/{quote(model, safe=':')}/converse{'-stream' if stream else ''}"

    async def prepare(self, http: HttpClient) -> None:
        pass

    def headers(self, passed: Headers, *, address: str, body: bytes) -> Headers:
        """Nothing of the caller's: the headers that are passed elsewhere mean nothing here."""
        sent = self._credentials.headers([])
        if self._signer is None:
            return sent
        signature = self._signer.sign("POST", address, _SIGNED, body, self._clock.now())
        return [*sent, *((name.encode(), value.encode()) for name, value in signature.items())]

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        """The exception's name counts more than the status, which is not always the same behind a proxy."""
        safe = self.redacted(body)
        status = status_of(reply.header("x-amzn-errortype") or "") or reply.status
        return refusal(status, words=message_of(safe), body=safe, retry_after=waits(reply))

    def redacted(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret, b"***")
        return body

    def _headers_with(self, key: Secret) -> Headers:
        own = [(name.encode(), value.reveal().encode()) for name, value in self.section.headers.items()]
        bearer = [(b"authorization", b"Bearer " + key.reveal().encode())] if key else []
        return [*_OWN_HEADERS, *own, *bearer]


def _signer(section: ProviderSection) -> Signer | None:
    if not section.access_key:
        return None
    account = Account(
        section.access_key.reveal(), section.secret_key.reveal(), section.session_token.reveal()
    )
    return Signer(account, section.region, "bedrock")
