"""Push notification configs: what clients may set, get, list and delete. Agents get one of ours."""

import contextlib
from typing import Any

import msgspec
from msgspec import Raw

from agent_gateway.bindings import Answer, Params
from agent_gateway.bindings.params import ID_LENGTH, WEBHOOK, members, refuse_other_spelling, text
from agent_gateway.call import Call
from agent_gateway.push.webhooks import Webhook, Webhooks, hashed, new_secret
from agent_gateway.route import Route, Target
from agent_gateway.upstream import Upstream
from shared import jsonrpc
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects import a2a
from shared.egress import Egress
from shared.errors import BadRequest, Forbidden, NotFound, UpstreamFault
from shared.identity.principal import Caller

_LONGEST_URL, _LONGEST_SECRET = 2_048, 8_192


class Configs:
    """`ingress` is where agents reach this service, "" for wherever the request reached it."""

    def __init__(
        self, webhooks: Webhooks, egress: Egress, route: Route, upstream: Upstream, *, ingress: str = ""
    ) -> None:
        self._webhooks = webhooks
        self._egress = egress
        self._route = route
        self._upstream = upstream
        self._ingress = ingress.rstrip("/")

    async def replaced(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> tuple[Call, Target]:
        """A message with our webhook in place of the client's, where it brings one. Raises BadRequest."""
        delegates = call.method.delegates and "configuration" in call.params
        configuration = members(call.params, "configuration") if delegates else {}
        if bytes(configuration.get(WEBHOOK, b"null")) == b"null":
            return call, target
        given = members(configuration, WEBHOOK)
        webhook, ours = await self._made(exchange, flight, caller, call, target, given)
        configuration = configuration | {WEBHOOK: Raw(msgspec.json.encode(ours))}
        params = call.params | {"configuration": Raw(msgspec.json.encode(configuration))}
        changed = msgspec.structs.replace(call, params=params, webhook=webhook.id)
        await self._webhooks.add(webhook)
        return changed, self._route.again(target, changed)

    async def bound(self, hook: str, task: str) -> None:
        """The message that brought the webhook `hook` along has started `task`."""
        await self._webhooks.bound(hook, task)

    async def create(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> Answer:
        webhook, ours = await self._made(exchange, flight, caller, call, target, call.params)
        params = {name: Raw(msgspec.json.encode(value)) for name, value in ours.items()}
        changed = msgspec.structs.replace(call, params=params)
        await self._webhooks.add(webhook)
        try:
            answer = await self._upstream.ask(changed, self._route.again(target, changed), flight)
        except UpstreamFault:
            await self._webhooks.remove(webhook)
            raise
        if answer.failure is not None:
            await self._webhooks.remove(webhook)
            return Answer(failure=answer.failure)
        return _answer(_shown(webhook))

    async def get(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> Answer:
        return _answer(_shown(await self._named(caller, call, target)))

    async def list(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> Answer:
        tenant = caller.principal.tenant
        found = await self._webhooks.of(tenant, target.agent.name, call.names.task)
        return _answer({"configs": [_shown(webhook) for webhook in found]})

    async def delete(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> Answer:
        """From here on nothing goes to the client, whatever the agent still sends."""
        webhook = await self._named(caller, call, target)
        await self._webhooks.remove(webhook)
        params = {name: Raw(msgspec.json.encode(value)) for name, value in _ids(webhook).items()}
        changed = msgspec.structs.replace(call, params=params)
        # An agent that cannot delete it, or is away, notifies somebody who is no longer there.
        with contextlib.suppress(UpstreamFault):
            await self._upstream.ask(changed, self._route.again(target, changed), flight)
        return _answer({})

    async def _named(self, caller: Caller, call: Call, target: Target) -> Webhook:
        tenant, name = caller.principal.tenant, text(call.params, "id")
        if not name:
            every = await self._webhooks.of(tenant, target.agent.name, call.names.task)
            found = every[0] if len(every) == 1 else None
        else:
            found = await self._webhooks.named(tenant, target.agent.name, call.names.task, name)
        if found is None:
            raise NotFound("there is no such push notification config", code=a2a.TASK_NOT_FOUND)
        return found

    async def _made(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target, given: Params
    ) -> tuple[Webhook, dict[str, Any]]:
        """The client's webhook for our records, and the config that the agent gets. Raises BadRequest."""
        refuse_other_spelling(given, "the push notification config")
        hook, secret = new_secret()
        registrar = msgspec.structs.replace(caller, parent=flight.entry.id, hop=caller.hop + 1)
        webhook = Webhook(
            id=hook,
            name=text(given, "id") or hook,
            agent=target.agent.name,
            caller=registrar,
            wire=call.wire,
            url=await self._permitted(text(given, "url")),
            secret=hashed(secret),
            task=call.names.task,
            token=_header(text(given, "token")),
            scheme=_header(text(members(given, "authentication"), "scheme")),
            credentials=_header(text(members(given, "authentication"), "credentials")),
        )
        if len(webhook.name) > ID_LENGTH:
            raise BadRequest("the config's id is too long", code=jsonrpc.INVALID_PARAMS)
        ours = _ids(webhook) | {
            "url": f"{self._ingress or _reached(exchange)}/agents/{target.agent.name}/push/{hook}",
            "token": secret,
            "authentication": {"scheme": "Bearer", "credentials": secret},
        }
        return webhook, ours

    async def _permitted(self, url: str) -> str:
        if not url or len(url) > _LONGEST_URL:
            raise BadRequest("the push notification config needs a url", code=jsonrpc.INVALID_PARAMS)
        try:
            await self._egress.check(url)
        except (BadRequest, Forbidden) as error:
            raise BadRequest(
                f"the webhook is not called from here: {error.detail}", code=jsonrpc.INVALID_PARAMS
            ) from error
        return url


def _ids(webhook: Webhook) -> dict[str, Any]:
    return {"id": webhook.id} | ({"taskId": webhook.task} if webhook.task else {})


def _shown(webhook: Webhook) -> dict[str, Any]:
    """As its owner set it, but for the credentials: nobody needs to read those back."""
    found: dict[str, Any] = {"id": webhook.name, "taskId": webhook.task, "url": webhook.url}
    if webhook.token:
        found["token"] = webhook.token
    if webhook.scheme:
        found["authentication"] = {"scheme": webhook.scheme}
    return found


def _header(value: str) -> str:
    """A value that goes into a header of ours. Raises BadRequest for one that would be more than that."""
    if len(value) > _LONGEST_SECRET or any(not " " <= character <= "~" for character in value):
        raise BadRequest(
            "token, scheme and credentials are printable ASCII, on one line", code=jsonrpc.INVALID_PARAMS
        )
    return value


def _reached(exchange: Exchange) -> str:
    host, port = exchange.scope["server"]
    return f"http://{host}:{port}" if ":" not in host else f"http://[{host}]:{port}"


def _answer(result: Any) -> Answer:
    return Answer(result=Raw(msgspec.json.encode(result)))
