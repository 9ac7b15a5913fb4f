"""`_meta`: which keys belong to the protocol and are written anew on each side of the gateway, and which
pass.
"""

from typing import Any

import msgspec
from msgspec import Raw

PREFIX = "io.modelcontextprotocol/"
PROTOCOL_VERSION = PREFIX + "protocolVersion"
CLIENT_CAPABILITIES = PREFIX + "clientCapabilities"
CLIENT_INFO = PREFIX + "clientInfo"
LOG_LEVEL = PREFIX + "logLevel"
SERVER_INFO = PREFIX + "serverInfo"
PROGRESS_TOKEN = "progressToken"
TRACEPARENT = "traceparent"
# Written by the gateway or dropped: the trace is ours, and baggage would carry the caller's words to
# strangers.
_OURS = frozenset(
    (
        PROTOCOL_VERSION,
        CLIENT_CAPABILITIES,
        CLIENT_INFO,
        LOG_LEVEL,
        PROGRESS_TOKEN,
        TRACEPARENT,
        "tracestate",
        "baggage",
    )
)
IDENTITY: dict[str, Any] = {"name": "gatestack", "title": "Gatestack MCP gateway", "version": "0.1.0"}
IDENTITY_RAW = Raw(msgspec.json.encode(IDENTITY))
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

Members = dict[str, Raw]
_MEMBERS = msgspec.json.Decoder(Members)


def members(raw: Raw | bytes) -> Members:
    """The members of a JSON object; none where there is no value. Raises msgspec.DecodeError when it is no
    object.
    """
    try:
        return _MEMBERS.decode(raw) if bytes(raw) else {}
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error


def passing(meta: Members) -> Members:
    """What of `meta` goes on unchanged."""
    return {name: value for name, value in meta.items() if name not in _OURS}
