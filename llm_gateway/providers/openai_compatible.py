"""Any provider with OpenAI's paths, headers and errors: OpenAI itself, local runtimes, most hosted ones."""

import msgspec

from llm_gateway.config import ProviderSection
from shared.asgi import Headers
from shared.errors import UpstreamRefused
from shared.http_client import Reply

# Our credential, our bill, our idea of where the model is: the caller cannot repair these.
_OURS = frozenset((401, 402, 403, 404, 405, 407))
# Another try, or another target, may well succeed.
_PASSING = frozenset((408, 409, 425, 429))
_OWN_HEADERS = [(b"content-type", b"application/json"), (b"accept-encoding", b"identity")]


class OpenAICompatible:
    format = "openai_chat"

    def __init__(self, name: str, section: ProviderSection) -> None:
        self.name = name
        self.section = section
        self._address = section.base_url.rstrip("/") + "/chat/completions"
        secrets = {header: value.reveal() for header, value in section.headers.items()}
        if section.key:
            secrets[section.key_header] = section.key_prefix + section.key.reveal()
        self._headers = [*_OWN_HEADERS, *((name.encode(), value.encode()) for name, value in secrets.items())]
        quotable = [section.key, *section.headers.values()]
        self._secrets = [secret.reveal().encode() for secret in quotable if len(secret.reveal()) >= 6]

    def address(self, model: str) -> str:
        return self._address

    def headers(self, passed: Headers) -> Headers:
        return [*self._headers, *passed] if passed else self._headers

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        status = reply.status
        waits = _seconds(reply.header("retry-after"))
        if status in _OURS or status < 400:
            return UpstreamRefused("the provider refused this gateway", upstream_status=502, retryable=True)
        if status >= 500 or status in _PASSING:
            text = "the provider is over its own limit" if status == 429 else "the provider could not answer"
            return UpstreamRefused(
                f"{text} (status {status})", upstream_status=status, retryable=True, retry_after=waits
            )
        return UpstreamRefused(
            f"the provider refused the request (status {status})",
            upstream_status=status,
            body=self.redacted(body) if _is_object(body) else _worded(status),
            retryable=False,
            retry_after=waits,
        )

    def redacted(self, body: bytes) -> bytes:
        for secret in self._secrets:
            body = body.replace(secret, b"***")
        return body


def _seconds(retry_after: str | None) -> float | None:
    """A `retry-after` in seconds. The form with a date is rare among providers and not worth trusting their
    clock.
    """
    return float(retry_after) if retry_after is not None and retry_after.strip().isdigit() else None


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (ValueError, RecursionError):
        return False


def _worded(status: int) -> bytes:
    message = f"the provider refused the request (status {status}) without saying why"
    return msgspec.json.encode(
        {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    )
