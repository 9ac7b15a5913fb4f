"""Everything that is no model call: the models that the caller may use, one of them, and paths that do not
exist.

Source: https://platform.openai.com/docs/api-reference/models
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from llm_gateway.authorize import LIST, unknown, visible
from llm_gateway.catalog import Catalog
from llm_gateway.model_lists import AnthropicList, GeminiList, ModelList, OpenAIList
from shared.account import Account, Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects import Dialect
from shared.dialects.model_paths import ModelDialect, spoken_at
from shared.errors import MethodNotAllowed, NotFound
from shared.identity.principal import Caller
from shared.policy import PolicyBox

# Where models are listed, and in whose form. Anthropic's clients share OpenAI's path and name their version.
PATHS: dict[str, ModelList] = {
    "/v1/models": OpenAIList(),
    "/anthropic/v1/models": AnthropicList(),
    "/v1beta/models": GeminiList(),
    "/gemini/v1/models": GeminiList(),
    "/gemini/v1beta/models": GeminiList(),
}
_SHARED, _ANTHROPIC = "/v1/models", "anthropic-version"
_JSON = [(b"content-type", b"application/json")]


class Listing:
    def __init__(
        self,
        *,
        account: Account,
        authenticate: Authenticate,
        catalog: Catalog,
        policy: PolicyBox,
        dialects: Mapping[ModelDialect, Dialect],
        created: int,
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._catalog = catalog
        self._policy = policy
        self._dialects = dialects
        self._created = created

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._dialects[_spoken(exchange)]) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            path, form = _form(exchange)
            if exchange.method != "GET":
                raise MethodNotAllowed(f"{path} takes GET only")
            name = exchange.path.removeprefix(path).removeprefix("/")
            found = self._one(flight, caller, form, name) if name else self._all(flight, caller, form)
            await exchange.reply(200, _JSON, msgspec.json.encode(found))

    def _all(self, flight: Flight, caller: Caller, form: ModelList) -> dict[str, Any]:
        policy = self._policy.current
        entry = flight.entry
        entry.resource, entry.action, entry.epoch = "model:*", LIST, policy.epoch
        shown = [name for name, model in self._catalog.items() if visible(policy, caller, model)]
        shown += [model.name for agent, model in self._catalog.agents() if agent.visible(policy, caller)]
        return form.all([form.one(name, self._created) for name in shown])

    def _one(self, flight: Flight, caller: Caller, form: ModelList, name: str) -> dict[str, Any]:
        policy, entry = self._policy.current, flight.entry
        model = self._catalog.find(name)
        entry.resource, entry.action, entry.epoch = f"model:{name[:256]}", LIST, policy.epoch
        if model is None or not visible(policy, caller, model):
            entry.decision = "deny"
            raise unknown(name[:256])
        entry.resource, entry.decision = model.resource, "allow"
        return form.one(name, self._created)


def _spoken(exchange: Exchange) -> ModelDialect:
    shared = exchange.path == _SHARED or exchange.path.startswith(_SHARED + "/")
    if shared and exchange.header_or_none(_ANTHROPIC) is not None:
        return "anthropic"
    return spoken_at(exchange.path)


def _form(exchange: Exchange) -> tuple[str, ModelList]:
    """The list that a path belongs to. Raises NotFound."""
    for path, form in PATHS.items():
        if exchange.path == path or exchange.path.startswith(path + "/"):
            return path, AnthropicList() if _spoken(exchange) == "anthropic" else form
    raise NotFound(f"there is nothing at {exchange.path[:200]}")
