"""Where agents bring their notifications: `/agents/<name>/push/<id>`, with the token that they were given.

A notification counts as done by whoever registered its webhook: their rights, their kills, their ledger.
"""

import msgspec
from msgspec import Raw

from agent_gateway.bindings.earlier import lowered, raised
from agent_gateway.bindings.earlier.raised import Json
from agent_gateway.catalog import Agent, Catalog
from agent_gateway.guard import Guard
from agent_gateway.push.deliver import Deliver
from agent_gateway.push.outbox import Letter, Outbox
from agent_gateway.push.webhooks import Webhook, Webhooks
from agent_gateway.seen import Seen, event_seen
from agent_gateway.tasks import Tasks
from shared import jsonrpc
from shared.account import Account, Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.dialects.plain import Plain
from shared.errors import BadRequest, Forbidden, MethodNotAllowed, NotFound, Unauthenticated, UpstreamBroken
from shared.ledger.entry import new_id
from shared.policy import PolicyBox
from shared.policy import authorize as ask_policy

_WRONG = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
_ACCEPTED = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


class Ingress:
    def __init__(
        self,
        account: Account,
        policy: PolicyBox,
        catalog: Catalog,
        webhooks: Webhooks,
        tasks: Tasks,
        outbox: Outbox,
        deliver: Deliver,
        guard: Guard,
        *,
        body_cap: int,
    ) -> None:
        self._account = account
        self._policy = policy
        self._catalog = catalog
        self._webhooks = webhooks
        self._tasks = tasks
        self._outbox = outbox
        self._deliver = deliver
        self._guard = guard
        self._body_cap = body_cap

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, Plain()) as flight:
            if exchange.method != "POST":
                raise MethodNotAllowed("notifications are POSTed")
            webhook = await self._known(exchange, flight)
            agent = self._authorize(flight, webhook)
            event, seen = _event(await exchange.body(self._body_cap))
            await self._own(webhook, seen)
            flight.entry.task, flight.entry.context = seen.task, seen.context
            event = await self._guard.answers(agent, webhook.caller, flight).notification(event)
            letter = _letter(webhook, event, flight)
            if await self._outbox.put(webhook, letter, once=_tells_state(event)):
                self._deliver.news.set()
            await exchange.reply(202, _ACCEPTED, b"{}")

    async def _known(self, exchange: Exchange, flight: Flight) -> Webhook:
        """Raises NotFound for no such webhook here, and the same for a token that is not its own."""
        name, hook = exchange.path_params["name"], exchange.path_params["hook"]
        flight.entry.agent, flight.entry.action = name, "push"
        webhook = await self._webhooks.find(hook)
        token = exchange.header("x-a2a-notification-token") or _bearer(exchange)
        if not token:
            raise Unauthenticated("send the token that came with this address")
        if webhook is None or webhook.agent != name or not webhook.admits(token):
            raise NotFound("there is no such webhook")
        return webhook

    def _authorize(self, flight: Flight, webhook: Webhook) -> Agent:
        """The agent that it is from. Raises Forbidden, Killed: rights may have been withdrawn since the
        webhook was registered.
        """
        agent = self._catalog.find(webhook.agent)
        if agent is None:
            raise NotFound("there is no such webhook")
        flight.identify(webhook.caller)
        flight.entry.resource = agent.principal
        facts = {"agent": agent.name, "labels": agent.labels, "method": "push"}
        flight.granted(ask_policy(self._policy.current, webhook.caller, agent.principal, "push", facts))
        flight.check()
        return agent

    async def _own(self, webhook: Webhook, seen: Seen) -> None:
        """A notification must be about the webhook's own task. Raises Forbidden."""
        if webhook.task:
            if seen.task != webhook.task:
                raise Forbidden("this webhook is for another task")
            return
        if not seen.task:
            raise Forbidden("this webhook waits for a task")
        try:
            await self._tasks.learn(webhook.agent, webhook.caller, seen)
        except UpstreamBroken as error:
            raise Forbidden("this webhook is for another task", cause=error) from error
        await self._webhooks.bound(webhook.id, seen.task)


def _event(body: bytes) -> tuple[Json, Seen]:
    """A StreamResponse of 1.0, whichever version the agent speaks. Raises BadRequest."""
    jsonrpc.refuse_duplicates(body)
    try:
        given = msgspec.json.decode(body)
        event = raised.event(given) if "kind" in given else given
        return event, event_seen(Raw(msgspec.json.encode(event)))
    except (*_WRONG, msgspec.DecodeError, UpstreamBroken) as error:
        raise BadRequest("this is no notification of A2A's", cause=error) from error


def _letter(webhook: Webhook, event: Json, flight: Flight) -> Letter:
    """The notification as the client's version has it."""
    earlier = webhook.wire.endswith("0.3")
    return Letter(
        id=new_id(),
        body=msgspec.json.encode(lowered.event(event) if earlier else event).decode(),
        kind="application/json" if earlier else "application/a2a+json",
        parent=flight.entry.id,
        trace=flight.trace,
    )


def _tells_state(event: Json) -> bool:
    """Whether the same said twice is one notification. Two equal pieces of an artifact are two."""
    return not (event.get("artifactUpdate") or {}).get("append")


def _bearer(exchange: Exchange) -> str:
    scheme, _, token = (exchange.header("authorization") or "").partition(" ")
    return token if scheme.lower() == "bearer" else ""
