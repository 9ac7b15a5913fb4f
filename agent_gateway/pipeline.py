"""One request for an agent, from a caller that the edge vouches for to the agent that acts for it.

Each line is a file of the same name.
"""

from agent_gateway.authorize import Authorize
from agent_gateway.cards import Cards
from agent_gateway.delegate import Delegate
from agent_gateway.forward import Forward
from agent_gateway.guard import guard
from agent_gateway.limit import limit
from agent_gateway.read import Read
from agent_gateway.route import Route
from agent_gateway.show import Show
from agent_gateway.tasks import Tasks
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects.a2a import A2A
from shared.limits.limiter import Limiter
from shared.limits.rule import LimitRule


class Pipeline:
    def __init__(
        self,
        *,
        account: Account,
        authenticate: Authenticate,
        read: Read,
        authorize: Authorize,
        cards: Cards,
        delegate: Delegate,
        rules: list[LimitRule],
        limiter: Limiter,
        tasks: Tasks,
        route: Route,
        forward: Forward,
        show: Show,
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._read = read
        self._authorize = authorize
        self._cards = cards
        self._delegate = delegate
        self._rules = rules
        self._limiter = limiter
        self._tasks = tasks
        self._route = route
        self._forward = forward
        self._show = show

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, A2A()) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            ask = await self._read(exchange, flight)
            grant = await self._authorize(ask, caller, flight)
            agent, call = ask.agent, ask.call
            if agent is None or call is None:
                flight.lease = await limit(grant, ask, self._rules, self._limiter)
                await self._show(exchange, caller, agent)
                return
            endpoint = await self._cards.endpoint(agent)
            onward = await self._delegate(caller, agent, endpoint)
            flight.lease = await limit(grant, ask, self._rules, self._limiter)
            await guard(caller, agent, call, self._tasks)
            target = self._route(call, onward, agent, endpoint, flight)
            await self._forward(exchange, flight, caller, call, target)
