"""What a request is told apart by where the same ones shall meet the same replica."""

from collections.abc import Callable

from api_gateway.balance.settings import Balance
from shared.asgi import Exchange
from shared.identity.principal import Caller

KeyOf = Callable[[Exchange, Caller], str]


def key_of(rule: Balance) -> KeyOf | None:
    """None where the strategy has no use for a key."""
    if rule.strategy != "consistent_hash":
        return None
    kind, _, rest = rule.hash_by.partition(":")
    if kind == "header":
        return lambda exchange, _: exchange.header_or_none(rest.lower()) or ""
    if kind == "path":
        return lambda exchange, _: _part(exchange.path, int(rest))
    return lambda _, caller: whose(caller)


def whose(caller: Caller) -> str:
    """Who the chain belongs to: all that follows from one person's request has the same key."""
    return f"{caller.principal.tenant} {caller.principal.sub}"


def _part(path: str, place: int) -> str:
    parts = path.split("/")
    return parts[place] if place < len(parts) else ""
