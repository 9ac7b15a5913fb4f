"""One model call, from bytes in to tokens out. Each line is a file of the same name."""

from llm_gateway.approve import approve
from llm_gateway.authorize import Authorize
from llm_gateway.cache.lookup import Cache
from llm_gateway.cache.replay import replay
from llm_gateway.call import Call
from llm_gateway.formats import Format
from llm_gateway.forward import Forward
from llm_gateway.guard import inspect
from llm_gateway.guards.selected import ChatGuards
from llm_gateway.limit import Limit, as_counted
from llm_gateway.memory import Memory
from llm_gateway.reach import Reach
from llm_gateway.read import read
from llm_gateway.responses import Forgetful
from llm_gateway.route import Router
from llm_gateway.transcripts.keep import Transcribe
from shared.account import Account
from shared.approvals import Park
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate


class Pipeline:
    """`spoken` is the format of the endpoint that it stands at; everything else is the same for all."""

    def __init__(
        self,
        spoken: Format,
        *,
        account: Account,
        authenticate: Authenticate,
        authorize: Authorize,
        park: Park,
        limit: Limit,
        guards: ChatGuards,
        cache: Cache,
        memory: Memory,
        responses: Forgetful,
        transcribe: Transcribe,
        route: Router,
        forward: Forward,
        max_body_bytes: int,
        reach: Reach,
    ) -> None:
        self._spoken = spoken
        self._account = account
        self._authenticate = authenticate
        self._authorize = authorize
        self._park = park
        self._limit = limit
        self._guards = guards
        self._cache = cache
        self._memory = memory
        self._responses = responses
        self._transcribe = transcribe
        self._route = route
        self._forward = forward
        self._max_body_bytes = max_body_bytes
        self._reach = reach

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._spoken.dialect) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            ask = await read(exchange, self._spoken, self._max_body_bytes, self._reach)
            grant, model = await self._authorize(flight, caller, ask)
            flight.taint = model.labels
            resumed = await self._responses.resume(caller, ask)
            await approve(self._park, grant, ask.body, flight)
            flight.lease = await self._limit(grant, model, resumed.ask, flight.entry.tags)
            ask = as_counted(resumed.ask, flight.lease)
            exchange.stamps += self._spoken.rate_headers(flight.lease)
            inspection = await inspect(ask, self._spoken, flight, self._guards, caller, model)
            call = Call(self._spoken, ask, inspection, caller, self._memory, resumed.pin)
            found = await self._cache.find(exchange, flight, grant, model, call)
            transcribed = self._transcribe.keepers(flight, caller, model, call)
            if found.stored is not None:
                flight.sends()
                kept = self._responses.keepers(caller, call, None, flight.entry)
                await replay(exchange, flight, call, found.stored, (*kept, *transcribed))
                return
            plan = self._route(model, flight, call)
            kept = self._responses.keepers(caller, call, model, flight.entry)
            cached = self._cache.keepers(found.place, flight)
            flight.sends()
            await self._forward(exchange, flight, call, plan, (*kept, *cached, *transcribed))
