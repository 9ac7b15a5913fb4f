"""The facts of one call that routing conditions read, each worked out when a condition first reads it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from llm_gateway.ask import Ask
from llm_gateway.catalog import Model
from llm_gateway.chat.parts import File, Image
from llm_gateway.chat.request import Chat, Tool
from llm_gateway.router.language import language_of, script_of
from llm_gateway.router.prompt import last_words, parts_of
from shared.account import Flight
from shared.asgi import Headers
from shared.clock import Clock
from shared.policy.context import Context

# What callers may say in headers about routing; their credentials are none of it.
_HEADER_PREFIX = b"x-"
_NO_FACTS = frozenset((b"x-api-key", b"x-goog-api-key", b"x-amz-security-token"))


class Named(Protocol):
    """The form that a caller speaks, or the endpoint that it has called."""

    @property
    def name(self) -> str: ...


class Asked(Protocol):
    """What conditions read of a call. `chat` raises BadRequest where it cannot be read."""

    @property
    def spoken(self) -> Named: ...

    @property
    def ask(self) -> Ask: ...

    @property
    def chat(self) -> Chat: ...


class CallFacts(Mapping[str, Any]):
    def __init__(self, flight: Flight, model: Model, call: Asked) -> None:
        self.flight = flight
        self.model = model
        self.call = call

    def __getitem__(self, name: str) -> Any:
        return _FACTS[name](self)

    def __iter__(self) -> Iterator[str]:
        return iter(_FACTS)

    def __len__(self) -> int:
        return len(_FACTS)


def context(flight: Flight, model: Model, call: Asked, clock: Clock) -> Context:
    """What conditions are evaluated over. `sub` is who started the chain, `actor` who acts now."""
    caller = flight.entry.caller
    assert caller is not None
    return Context(caller, 0, model.resource, CallFacts(flight, model, call), clock)


def shown_headers(headers: Headers) -> dict[str, str]:
    """The caller's own `x-` headers; dashes are underscores, so that `headers.x_canary` can be written."""
    return {
        name.decode("latin-1").replace("-", "_"): value.decode("latin-1")
        for name, value in headers
        if name.startswith(_HEADER_PREFIX) and name not in _NO_FACTS
    }


_FACTS: dict[str, Callable[[CallFacts], Any]] = {
    "tags": lambda of: of.flight.entry.tags,
    "labels": lambda of: of.model.labels,
    "headers": lambda of: shown_headers(of.flight.exchange.headers),
    "dialect": lambda of: of.call.spoken.name,
    "stream": lambda of: of.call.ask.stream,
    "tokens": lambda of: of.call.ask.tokens_in,
    "max_tokens": lambda of: of.call.ask.tokens_out,
    "tools": lambda of: [tool.name if isinstance(tool, Tool) else tool.kind for tool in of.call.chat.tools],
    "images": lambda of: sum(isinstance(part, Image) for part in parts_of(of.call.chat)),
    "files": lambda of: sum(isinstance(part, File) for part in parts_of(of.call.chat)),
    "turns": lambda of: len(of.call.chat.messages),
    "effort": lambda of: (of.call.chat.reasoning.effort if of.call.chat.reasoning else None) or "",
    "language": lambda of: language_of(last_words(of.call.chat)),
    "script": lambda of: script_of(last_words(of.call.chat)),
}
