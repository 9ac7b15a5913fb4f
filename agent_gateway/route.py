"""Stage: where a call goes, as what, and with which credential. Nothing of the caller's own travels on."""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from msgspec import Raw, Struct

from agent_gateway.bindings.wires import WIRES
from agent_gateway.call import Call, Names, Wire
from agent_gateway.catalog import Agent
from agent_gateway.methods import METHODS
from agent_gateway.replicas import Place, Replicas
from agent_gateway.seen import Seen
from shared import trace
from shared.account import Flight
from shared.egress import Destination, Egress
from shared.identity.principal import Caller, Trace
from shared.identity.signing import Signer
from shared.identity.token import delegation_claims

Learn = Callable[[Seen], Awaitable[None]]
Headers = tuple[tuple[bytes | str, bytes | str], ...]
_OWN_ID = Raw(b'"gatestack"')
_OF_REQUEST = ("accept", "content-type")


async def _forget(_: Seen) -> None:
    pass


class Target(Struct, frozen=True, kw_only=True):
    """One request to an agent, ready to be sent. `base` is the endpoint, below which some wires have
    paths. `pinned` is the address that was checked, where that has to be. `learn` is told what an answer
    shows. `bearer` makes the agent's delegation token anew, where it gets one.
    """

    agent: Agent
    url: str
    tenant: str
    headers: Headers
    body: bytes
    method: str = "POST"
    base: str = ""
    wire: Wire = "JSONRPC/1.0"
    pinned: Destination | None = None
    learn: Learn = _forget
    bearer: Callable[[], str] | None = None


class Route:
    """`seconds` is how long an agent may call back with the token that it gets. Addresses that the operator
    did not write must pass `egress`.
    """

    def __init__(self, signer: Signer, replicas: Replicas, egress: Egress, *, seconds: int) -> None:
        self._signer = signer
        self._replicas = replicas
        self._egress = egress
        self._seconds = seconds

    async def __call__(
        self, call: Call, caller: Caller, onward: Caller, place: Place, flight: Flight
    ) -> Target:
        """Raises Forbidden for an address that may not be called."""
        # Tasks are remembered under the name that was asked for, whoever stands in for it.
        agent, endpoint = msgspec.structs.replace(place.agent, name=place.asked), place.endpoint
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("a2a-version", endpoint.wire.rpartition("/")[2]),
            ("traceparent", trace.render(flight.trace)),
            *agent.headers,
        ]
        if call.extensions:
            listed = ", ".join(call.extensions)
            headers += [("a2a-extensions", listed), ("x-a2a-extensions", listed)]
        bearer = partial(self._token, onward, flight.entry.id, flight.trace) if agent.delegates else None
        if bearer is not None:
            headers.append(("authorization", f"Bearer {bearer()}"))
        target = Target(
            agent=agent,
            url=endpoint.url,
            tenant=endpoint.tenant,
            headers=tuple(headers),
            body=b"",
            base=endpoint.url,
            wire=endpoint.wire,
            pinned=await self._egress.check(endpoint.url) if agent.guarded and agent.bridge is None else None,
            learn=lambda seen: self._replicas.learn(place, caller, seen),
            bearer=bearer,
        )
        return self.again(target, call)

    def again(self, target: Target, call: Call) -> Target:
        """`call` to where `target` goes, with the same credential."""
        params = _params(call.params, target.tenant)
        request = WIRES[target.wire].request(call, params, target.base)
        accept = "text/event-stream" if call.method.streams else "application/json"
        headers = [(name, value) for name, value in target.headers if name not in _OF_REQUEST]
        headers.append(("accept", accept))
        if request.body:
            headers.append(("content-type", request.kind))
        return msgspec.structs.replace(
            target, method=request.method, url=request.url, headers=tuple(headers), body=request.body
        )

    async def cancellation(self, target: Target, task: str) -> Target:
        """The request that cancels `task` at the agent that `target` went to, with a token and an address of
        now. Raises Forbidden, UpstreamFault.
        """
        if target.pinned is not None:
            target = msgspec.structs.replace(target, pinned=await self._egress.check(target.base))
        sent = self.again(target, of_task("CancelTask", task))
        if target.bearer is None:
            return sent
        headers = [header for header in sent.headers if header[0] != "authorization"]
        fresh = ("authorization", f"Bearer {target.bearer()}")
        return msgspec.structs.replace(sent, headers=(*headers, fresh))

    def resubscription(self, target: Target, task: str) -> tuple[Call, Target]:
        """The call, and the request, that takes up the stream of `task` again."""
        call = of_task("SubscribeToTask", task)
        return call, self.again(target, call)

    def _token(self, onward: Caller, entry: str, trace: Trace) -> str:
        claims = delegation_claims(
            onward,
            issuer=self._signer.issuer,
            entry_id=entry,
            trace=trace,
            ttl=self._seconds,
        )
        return self._signer.sign(claims, typ="delegation+jwt")


def _params(params: dict[str, Raw], tenant: str) -> dict[str, Raw]:
    """`params` with the tenant that the agent knows: what the client wrote there is our business, not the
    agent's.
    """
    sent = {name: value for name, value in params.items() if name != "tenant"}
    if tenant:
        sent["tenant"] = Raw(msgspec.json.encode(tenant))
    return sent


def of_task(name: str, task: str, **params: Raw) -> Call:
    """A call of the gateway's own about a task: GetTask, CancelTask or SubscribeToTask."""
    given = {"id": Raw(msgspec.json.encode(task)), **params}
    return Call(method=METHODS[name], id=_OWN_ID, params=given, names=Names(task=task))
