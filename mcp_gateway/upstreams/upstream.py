"""What an upstream is: somebody that speaks MCP in one of its eras, to whom calls are put in neutral form."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Protocol, runtime_checkable

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import meta
from mcp_gateway.meta import Members
from mcp_gateway.mirrors import Headers
from shared import jsonrpc
from shared.errors import UpstreamBroken
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope

EMPTY_OBJECT = Raw(b"{}")


class Welcome(Struct, frozen=True, kw_only=True):
    """What a server said about itself when it was first spoken to."""

    stateless: bool
    version: str
    capabilities: Members
    info: Raw = meta.IDENTITY_RAW
    instructions: str = ""


class Aside(Struct, frozen=True):
    """What a server says about a call beside its answer, and what it asks: `respond` takes the message that
    answers it.
    """

    message: Envelope
    respond: Callable[[bytes], None]


class Peer(Struct, frozen=True):
    """On whose behalf a server is spoken to, and what it may ask of them: servers with sessions get one for
    each.
    """

    owner: tuple[str, ...] = ()
    capabilities: bytes = b"{}"


class Call(Struct, frozen=True, kw_only=True):
    """A request without anything that depends on the era. `meta` holds only keys that pass.

    `owner` is the principal. `headers` mirror parameters, for servers whose era wants that. `progress` asks
    for progress reports, `log_level` for log messages. Without `asides` nobody is there to be asked.
    `on_behalf` writes a credential with which the edge takes the call back for its caller. `caller` is for
    what this gateway answers itself.
    """

    method: str
    params: Members
    meta: Members = {}
    owner: tuple[str, ...] = ()
    progress: bool = False
    log_level: str = ""
    capabilities: Raw = EMPTY_OBJECT
    traceparent: str = ""
    headers: Headers = ()
    on_behalf: Callable[[], str] | None = None
    caller: Caller | None = None
    asides: asyncio.Queue[Aside] | None = None

    @property
    def peer(self) -> Peer:
        return Peer(self.owner, bytes(self.capabilities))


class Hearing(Struct, frozen=True, kw_only=True):
    """What somebody wants to hear without having asked: that `lists` have changed (which is told to
    `changed`, as ever), that the resources `uris` have, and what the server asks outside of calls.
    """

    peer: Peer = Peer()
    lists: bool = True
    uris: tuple[str, ...] = ()
    asides: asyncio.Queue[Aside] | None = None


class Upstream(Protocol):
    """One server. `call` yields what the server says about the call, its answer last; to close it early is
    to cancel.

    Raises UpstreamFault.
    """

    name: str

    async def welcome(self) -> Welcome: ...

    def call(self, call: Call) -> AsyncGenerator[Envelope, None]: ...

    async def close(self) -> None: ...


@runtime_checkable
class Listens(Protocol):
    """A server that can speak first. What `listen` yields ends where there is nothing (more) to hear.

    Raises UpstreamFault.
    """

    def listen(self, hearing: Hearing) -> AsyncGenerator[Envelope, None]: ...


_ENVELOPE = msgspec.json.Decoder(Envelope)


def heard(message: bytes, server: str) -> Envelope:
    """A message of a server. Raises UpstreamBroken when it is no JSON-RPC."""
    try:
        return _ENVELOPE.decode(message)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken(
            f"the MCP server {server!r} answered with something that is no JSON-RPC", cause=error
        ) from error


def is_answer(envelope: Envelope, request_id: int, server: str) -> bool:
    """Whether this message ends the call `request_id`. Raises UpstreamBroken for an answer to something
    else.
    """
    if envelope.method:
        return False
    if not bytes(envelope.result) and not bytes(envelope.error):
        raise UpstreamBroken(f"the MCP server {server!r} answered with neither a result nor an error")
    known = bytes(envelope.id)
    if known == str(request_id).encode() or (bytes(envelope.error) and known in (b"", b"null")):
        return True
    raise UpstreamBroken(f"the MCP server {server!r} answered another request than it was asked")


def written(call: Call, welcome: Welcome, request_id: int) -> bytes:
    """The parameters of `call` as this server's era wants them."""
    own = dict(call.meta)
    if welcome.stateless:
        own[meta.PROTOCOL_VERSION] = Raw(msgspec.json.encode(welcome.version))
        own[meta.CLIENT_CAPABILITIES] = call.capabilities
        own[meta.CLIENT_INFO] = meta.IDENTITY_RAW
        if call.log_level:
            own[meta.LOG_LEVEL] = Raw(msgspec.json.encode(call.log_level))
    if call.progress:
        # Ours, not the client's: two clients may have chosen the same one.
        own[meta.PROGRESS_TOKEN] = Raw(str(request_id).encode())
    if call.traceparent:
        own[meta.TRACEPARENT] = Raw(msgspec.json.encode(call.traceparent))
    params = dict(call.params) if welcome.stateless else _in_session(call.params)
    if own:
        params["_meta"] = Raw(msgspec.json.encode(own))
    return msgspec.json.encode(params)


def _in_session(params: Members) -> Members:
    """Without what belongs to the other era's way of asking."""
    return {name: raw for name, raw in params.items() if name not in ("inputResponses", "requestState")}


def aside(message: Envelope, respond: Callable[[bytes], None], asides: asyncio.Queue[Aside] | None) -> None:
    """Takes what a server asks, or says beside an answer: it is never left without one."""
    if asides is not None and message.method != "ping" and not asides.full():
        asides.put_nowait(Aside(message, respond))
    elif message.has_id:
        respond(refusal(message))


def refusal(request: Envelope) -> bytes:
    """The answer to a server that asks its client something: that it is there, and that nothing is offered
    to it.
    """
    if request.method == "ping":
        return jsonrpc.result(request.id, b"{}")
    return jsonrpc.error(
        request.id, jsonrpc.METHOD_NOT_FOUND, "this client offers nothing that a server could ask it for"
    )
