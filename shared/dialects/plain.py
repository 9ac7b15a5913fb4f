"""Problem details for HTTP APIs (RFC 9457): the admin API, configured routes, and callers whose dialect is
unknown.
"""

import msgspec

from shared.dialects import Rendered, retry_headers
from shared.errors import GatestackError


class Plain:
    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        body = {
            "type": "about:blank",
            "title": str(error.reason).replace("_", " "),
            "status": error.status,
            "detail": error.detail,
            "reason": str(error.reason),
            "instance": request_id,
        }
        headers = [(b"content-type", b"application/problem+json"), *retry_headers(error)]
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        return error.status, headers, msgspec.json.encode(body)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        # The body may be anything: bytes of ours in the middle of it would be worse than a cut.
        return b""
