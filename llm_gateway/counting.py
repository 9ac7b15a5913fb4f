"""How long would this prompt be? Asked of the provider where it speaks the caller's format and counts for
nothing; else counted here, with the model's own vocabulary where that is known.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from llm_gateway.approve import approve
from llm_gateway.ask import Ask
from llm_gateway.authorize import Authorize
from llm_gateway.catalog import Target
from llm_gateway.formats.anthropic import count as anthropic
from llm_gateway.formats.gemini import Gemini
from llm_gateway.formats.gemini import count as gemini
from llm_gateway.limit import Limit
from llm_gateway.providers.anthropic import AnthropicProvider
from llm_gateway.providers.gemini import GeminiProvider
from llm_gateway.providers.vertex_anthropic import VertexAnthropic
from llm_gateway.reach import Reach
from llm_gateway.route import aim
from llm_gateway.tokens import TokenCounter
from shared.account import Account
from shared.approvals import Park
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.clock import Clock
from shared.dialects import Dialect
from shared.dialects.anthropic import Anthropic as AnthropicErrors
from shared.dialects.gemini import Gemini as GeminiErrors
from shared.errors import MethodNotAllowed, UpstreamFault
from shared.http_client import HttpClient

_JSON = [(b"content-type", b"application/json")]
_REPLY_BYTES = 65_536


class CountForm(Protocol):
    """One family's way of asking. `question` is None where the target cannot be asked."""

    paths: tuple[str, ...]
    dialect: Dialect

    def read(self, body: bytes, params: Mapping[str, str]) -> Ask:
        """Raises BadRequest."""
        ...

    def question(self, ask: Ask, target: Target) -> tuple[str, bytes] | None: ...

    def counted(self, body: bytes) -> int:
        """Raises UpstreamFault."""
        ...

    def reply(self, tokens: int) -> bytes: ...


class AnthropicCount:
    paths: tuple[str, ...] = anthropic.PATHS

    def __init__(self, clock: Clock) -> None:
        self.dialect: Dialect = AnthropicErrors(clock)

    def read(self, body: bytes, params: Mapping[str, str]) -> Ask:
        return anthropic.read_count(body, params)

    def question(self, ask: Ask, target: Target) -> tuple[str, bytes] | None:
        provider = target.provider
        if isinstance(provider, VertexAnthropic):
            return provider.count(target.model, anthropic.count_body(ask, target.model))
        if not isinstance(provider, AnthropicProvider):
            return None
        return provider.count_address(), anthropic.count_body(ask, target.model)

    def counted(self, body: bytes) -> int:
        return anthropic.count_of(body)

    def reply(self, tokens: int) -> bytes:
        return anthropic.count_reply(tokens)


class GeminiCount:
    paths: tuple[str, ...] = tuple(
        path.replace(":generateContent", ":countTokens")
        for path in Gemini.paths
        if path.endswith(":generateContent")
    )
    dialect: Dialect = GeminiErrors()

    def __init__(self) -> None:
        self._format = Gemini()

    def read(self, body: bytes, params: Mapping[str, str]) -> Ask:
        return self._format.read(gemini.read(body), params)

    def question(self, ask: Ask, target: Target) -> tuple[str, bytes] | None:
        if not isinstance(target.provider, GeminiProvider):
            return None
        return f"{target.provider.place(target.model)}:countTokens", gemini.request(ask.body, target.model)

    def counted(self, body: bytes) -> int:
        return gemini.counted(body)

    def reply(self, tokens: int) -> bytes:
        return gemini.reply(tokens)


class Counting:
    """The endpoint of one form. A count is a request like any other: who may not use the model may not count
    for it, and limits on requests hold.
    """

    def __init__(
        self,
        form: CountForm,
        *,
        account: Account,
        authenticate: Authenticate,
        authorize: Authorize,
        park: Park,
        limit: Limit,
        http: HttpClient,
        max_body_bytes: int,
        reach: Reach,
    ) -> None:
        self._form = form
        self._reach = reach
        self._account = account
        self._authenticate = authenticate
        self._authorize = authorize
        self._park = park
        self._limit = limit
        self._http = http
        self._cap = max_body_bytes
        self._counter = TokenCounter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._form.dialect) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            if exchange.method != "POST":
                raise MethodNotAllowed(f"{exchange.path} takes POST only")
            ask = self._form.read(await exchange.body(self._cap), exchange.path_params)
            self._reach.refuse(ask)
            grant, model = await self._authorize(flight, caller, ask)
            free = msgspec.structs.replace(ask, tokens_in=0, tokens_out=0, body=b"")
            silent = msgspec.structs.replace(model, default_output_tokens=0)
            await approve(self._park, grant, ask.body, flight)
            flight.lease = await self._limit(grant, silent, free, flight.entry.tags)
            aim(model.targets[0], flight)
            flight.sends()
            await exchange.reply(200, _JSON, self._form.reply(await self._tokens(ask, model.targets[0])))

    async def _tokens(self, ask: Ask, target: Target) -> int:
        """A provider that does not count is no reason not to answer: the caller wants an estimate."""
        try:
            counted = await self._asked(ask, target)
        except UpstreamFault:
            counted = None
        if counted is not None:
            return counted
        return (await self._counter.count(target.model, ask)).tokens_in

    async def _asked(self, ask: Ask, target: Target) -> int | None:
        question = self._form.question(ask, target)
        if question is None:
            return None
        (address, body), provider = question, target.provider
        await provider.prepare(self._http)
        async with await self._http.send(
            "POST",
            address,
            headers=provider.headers((), address=address, body=body),
            body=body,
            connect_timeout=provider.section.connect_timeout_seconds,
            header_timeout=provider.section.first_byte_timeout_seconds,
        ) as reply:
            answer = await reply.read(_REPLY_BYTES)
        return self._form.counted(answer) if reply.status == 200 else None
