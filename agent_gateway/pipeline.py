"""One request for an agent, from a caller that the edge vouches for to the agent that acts for it.

Each line is a file of the same name.
"""

import msgspec

from agent_gateway.admit import admit
from agent_gateway.approve import approve
from agent_gateway.authorize import Authorize
from agent_gateway.delegate import Delegate
from agent_gateway.find import find
from agent_gateway.forward import Forward
from agent_gateway.guard import Guard
from agent_gateway.limit import Limit
from agent_gateway.read import Ask, Read
from agent_gateway.registry.directory import Directory
from agent_gateway.replicas import Replicas
from agent_gateway.route import Route
from agent_gateway.show import Show
from agent_gateway.tasks import Tasks
from shared.account import Account
from shared.approvals import Park
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects.a2a import A2A
from shared.identity.principal import Caller


class Pipeline:
    def __init__(
        self,
        *,
        account: Account,
        authenticate: Authenticate,
        read: Read,
        authorize: Authorize,
        guard: Guard,
        park: Park,
        directory: Directory,
        replicas: Replicas,
        delegate: Delegate,
        limit: Limit,
        tasks: Tasks,
        route: Route,
        forward: Forward,
        show: Show,
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._read = read
        self._authorize = authorize
        self._guard = guard
        self._park = park
        self._directory = directory
        self._replicas = replicas
        self._delegate = delegate
        self._limit = limit
        self._tasks = tasks
        self._route = route
        self._forward = forward
        self._show = show

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, A2A()) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            await find(exchange, caller, self._directory)
            ask = await self._read(exchange, flight)
            grant = await self._authorize(ask, caller, flight)
            agent, call = ask.agent, ask.call
            if agent is None or call is None:
                await approve(self._park, grant, ask, exchange, flight)
                flight.lease = await self._limit(grant, ask)
                flight.sends()
                await self._page(exchange, caller, ask)
                return
            call, inspection = await self._guard(call, agent, caller, flight)
            if call is not ask.call:
                # What policy and people say yes to is what goes out.
                ask = msgspec.structs.replace(ask, call=call)
                grant = await self._authorize(ask, caller, flight)
            # Before anything is looked up or anybody asked for an id that may be another's.
            await admit(caller, agent, call, self._tasks)
            place = await self._replicas.choose(agent, caller, call.names)
            if place.agent is not agent:
                ask = msgspec.structs.replace(ask, name=place.agent.name, agent=place.agent)
                grant = await self._authorize(ask, caller, flight)
            onward = await self._delegate(caller, place.agent, place.endpoint)
            await approve(self._park, grant, ask, exchange, flight)
            flight.lease = await self._limit(grant, ask)
            target = await self._route(call, caller, onward, place, flight)
            with self._replicas.using(place):
                await self._forward(exchange, flight, caller, call, target, inspection)

    async def _page(self, exchange: Exchange, caller: Caller, ask: Ask) -> None:
        if ask.agent is None:
            await self._directory(exchange, caller)
        else:
            await self._show(exchange, ask.agent, original=ask.original)
