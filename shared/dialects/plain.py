"""Problem details for HTTP APIs (RFC 9457): the admin API, configured routes, and callers whose dialect is
unknown.
"""

import msgspec

from shared import sse
from shared.dialects import Rendered, retry_headers
from shared.errors import GatestackError, MethodNotAllowed


class Plain:
    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        headers = [(b"content-type", b"application/problem+json"), *retry_headers(error)]
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if isinstance(error, MethodNotAllowed) and error.allowed:
            headers.append((b"allow", ", ".join(error.allowed).encode()))
        return error.status, headers, _details(error, request_id)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        # The body may be anything: bytes of ours in the middle of it would be worse than a cut.
        return b""


class PlainEvents(Plain):
    """The same where the body is an event stream: its last event is named `error`."""

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return sse.encode(_details(error, request_id), "error")


def _details(error: GatestackError, request_id: str) -> bytes:
    return msgspec.json.encode(
        {
            "type": "about:blank",
            "title": str(error.reason).replace("_", " "),
            "status": error.status,
            "detail": error.detail,
            "reason": str(error.reason),
            "instance": request_id,
        }
    )
