"""What is said to every server in its own era: `server/discover` or `initialize` at first, and a
cancellation.
"""

import contextlib

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import meta
from mcp_gateway.meta import Members
from mcp_gateway.upstreams.upstream import Call, Hearing, Welcome
from shared import jsonrpc
from shared.dialects.mcp import SESSION_VERSIONS, STATELESS_VERSIONS, UNSUPPORTED_VERSION
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.jsonrpc import Envelope

NEWEST = STATELESS_VERSIONS[0]
# How a server is addressed before it has said anything, in the stateless era.
STRANGER = Welcome(stateless=True, version=NEWEST, capabilities={})
DISCOVER = Call(method="server/discover", params={})
# A legacy server may never answer a method that it does not know.
PROBE_SECONDS = 5.0


# What a client of the stateless era can want to hear of lists, and what that is called when it happens.
LIST_FILTERS = {
    "toolsListChanged": "notifications/tools/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
    "resourcesListChanged": "notifications/resources/list_changed",
}
_NEVER = (jsonrpc.METHOD_NOT_FOUND, jsonrpc.INVALID_PARAMS)


class _Error(Struct):
    code: int = 0


class _Versions(Struct):
    supported: list[str]


class _Refusal(Struct):
    code: int
    data: _Versions


class _Discovered(Struct):
    supportedVersions: list[str]
    capabilities: Members = {}
    instructions: str = ""
    meta: Members = msgspec.field(default_factory=dict, name="_meta")


class _Initialized(Struct):
    protocolVersion: str
    capabilities: Members = {}
    serverInfo: Raw = meta.IDENTITY_RAW
    instructions: str | None = None


def initialize_params(capabilities: bytes = b"{}") -> bytes:
    """`capabilities` are the client's own: what it did not declare, the server cannot ask through us."""
    return msgspec.json.encode(
        {
            "protocolVersion": SESSION_VERSIONS[0],
            "capabilities": Raw(capabilities),
            "clientInfo": meta.IDENTITY,
        }
    )


def discovered(answer: Envelope) -> Welcome | None:
    """What a server said to `server/discover`; None when it is no server of the stateless era that we
    speak.
    """
    try:
        found = msgspec.json.decode(answer.result, type=_Discovered)
    except msgspec.DecodeError:
        return None
    if NEWEST not in found.supportedVersions:
        return None
    return Welcome(
        stateless=True,
        version=NEWEST,
        capabilities=found.capabilities,
        info=found.meta.get(meta.SERVER_INFO, meta.IDENTITY_RAW),
        instructions=found.instructions,
    )


def wants_it_again(answer: Envelope) -> bool:
    """Whether a server refuses our version and yet has it on the list of those that it speaks."""
    with contextlib.suppress(msgspec.DecodeError):
        refusal = msgspec.json.decode(answer.error, type=_Refusal)
        return refusal.code == UNSUPPORTED_VERSION and NEWEST in refusal.data.supported
    return False


def initialized(answer: Envelope, server: str) -> Welcome:
    """What a server said to `initialize`. Raises UpstreamFault when it is no handshake."""
    if bytes(answer.error):
        raise UpstreamRefused(
            f"the MCP server {server!r} refused to begin a session", upstream_status=200, retryable=False
        )
    try:
        found = msgspec.json.decode(answer.result, type=_Initialized)
    except msgspec.DecodeError as error:
        raise UpstreamBroken(
            f"the MCP server {server!r} began with no valid handshake", cause=error
        ) from error
    if found.protocolVersion not in (*SESSION_VERSIONS, "2024-11-05"):
        raise UpstreamBroken(f"the MCP server {server!r} speaks only a revision that this gateway does not")
    return Welcome(
        stateless=False,
        version=found.protocolVersion,
        capabilities=found.capabilities,
        info=found.serverInfo,
        instructions=found.instructions or "",
    )


def listening(hearing: Hearing) -> Call:
    """What a server of the stateless era is asked for by somebody who wants to hear of changes."""
    wanted: dict[str, object] = dict.fromkeys(LIST_FILTERS, True) if hearing.lists else {}
    if hearing.uris:
        wanted["resourceSubscriptions"] = hearing.uris
    return Call(
        method="subscriptions/listen",
        params={"notifications": Raw(msgspec.json.encode(wanted))},
        owner=hearing.peer.owner,
        capabilities=Raw(hearing.peer.capabilities),
    )


def knows_nothing(answer: Envelope) -> bool:
    """Whether a server says that it never tells of changes."""
    with contextlib.suppress(msgspec.DecodeError):
        return bool(bytes(answer.error)) and msgspec.json.decode(answer.error, type=_Error).code in _NEVER
    return False


def cancellation(request_id: int) -> bytes:
    """What a server is told when nobody waits for its answer any more."""
    params = msgspec.json.encode({"requestId": request_id, "reason": "the caller is gone"})
    return jsonrpc.request(b"", "notifications/cancelled", params)
