"""The headers of an HTTP/3 request as ASGI's scope."""

from typing import Any
from urllib.parse import unquote

Message = dict[str, Any]


def scope_of(headers: Any, client: tuple[str, int] | None, server: Any) -> Message | None:
    """The request as ASGI knows it; None where it is none: CONNECT, or bytes that belong in no path."""
    pseudo = {name: value for name, value in headers if name.startswith(b":")}
    plain = [(name, value) for name, value in headers if not name.startswith(b":") and name != b"host"]
    host = pseudo.get(b":authority", dict(headers).get(b"host", b""))
    raw_path, _, query = pseudo.get(b":path", b"").partition(b"?")
    method = pseudo.get(b":method", b"").decode("latin-1")
    if not raw_path.startswith(b"/") or not raw_path.isascii() or not method.isascii() or method == "CONNECT":
        return None
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "3",
        "method": method.upper(),
        "scheme": "https",
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", host), *plain],
        "client": client,
        "server": tuple(server[:2]) if server else None,
        "state": {},
        "extensions": {},
    }
