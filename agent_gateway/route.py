"""Stage: where a call goes, as what, and with which credential. Nothing of the caller's own travels on."""

import msgspec
from msgspec import Raw, Struct

from agent_gateway.bindings import Binding
from agent_gateway.call import Call, Method, Names
from agent_gateway.catalog import Agent, Endpoint
from agent_gateway.methods import METHODS
from agent_gateway.versions import SUPPORTED
from shared import trace
from shared.account import Flight
from shared.identity.principal import Caller
from shared.identity.signing import Signer
from shared.identity.token import delegation_claims

Headers = tuple[tuple[bytes | str, bytes | str], ...]
_CANCEL_ID = Raw(b'"gatestack-cancel"')


class Target(Struct, frozen=True, kw_only=True):
    """One request to an agent, ready to be sent."""

    agent: Agent
    url: str
    tenant: str
    headers: Headers
    body: bytes


class Route:
    """`seconds` is how long an agent may call back with the token that it gets."""

    def __init__(self, binding: Binding, signer: Signer, *, seconds: int) -> None:
        self._binding = binding
        self._signer = signer
        self._seconds = seconds

    def __call__(
        self, call: Call, onward: Caller, agent: Agent, endpoint: Endpoint, flight: Flight
    ) -> Target:
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("content-type", "application/json"),
            ("accept", "text/event-stream" if call.method.streams else "application/json"),
            ("a2a-version", SUPPORTED),
            ("traceparent", trace.render(flight.trace)),
            *agent.headers,
        ]
        if call.extensions:
            headers.append(("a2a-extensions", ", ".join(call.extensions)))
        if agent.delegates:
            headers.append(("authorization", f"Bearer {self._token(onward, flight)}"))
        return Target(
            agent=agent,
            url=endpoint.url,
            tenant=endpoint.tenant,
            headers=tuple(headers),
            body=self._binding.write(call, _params(call.params, endpoint.tenant)),
        )

    def cancellation(self, target: Target, task: str) -> Target:
        """The request that cancels `task` at the agent that `target` goes to."""
        call = _cancel(task)
        headers = tuple((name, value) for name, value in target.headers if name != "accept")
        return msgspec.structs.replace(
            target, headers=headers, body=self._binding.write(call, _params(call.params, target.tenant))
        )

    def _token(self, onward: Caller, flight: Flight) -> str:
        claims = delegation_claims(
            onward,
            issuer=self._signer.issuer,
            entry_id=flight.entry.id,
            trace=flight.trace,
            ttl=self._seconds,
        )
        return self._signer.sign(claims, typ="delegation+jwt")


def _params(params: dict[str, Raw], tenant: str) -> bytes:
    """`params` with the tenant that the agent knows: what the client wrote there is our business, not the
    agent's.
    """
    sent = {name: value for name, value in params.items() if name != "tenant"}
    if tenant:
        sent["tenant"] = Raw(msgspec.json.encode(tenant))
    return msgspec.json.encode(sent)


def _cancel(task: str) -> Call:
    method: Method = METHODS["CancelTask"]
    params = {"id": Raw(msgspec.json.encode(task))}
    return Call(method=method, id=_CANCEL_ID, params=params, names=Names(task=task))
