"""A kept answer of an endpoint on its way out."""

from llm_gateway.cache.bodies import KeptBody
from llm_gateway.told import NAME, line
from shared.account import Flight
from shared.asgi import Exchange

_JSON = (b"content-type", b"application/json")


async def replay(exchange: Exchange, flight: Flight, kept: KeptBody) -> None:
    """Raises Killed where whoever has given it may not be asked any more."""
    entry = flight.entry
    entry.model, entry.provider = kept.model, kept.provider
    flight.check()
    entry.saved_micros = kept.cost_micros
    entry.saved_us = max(0, kept.upstream_us - flight.elapsed_us())
    told = line(
        model=kept.model,
        provider=kept.provider,
        attempts=0,
        cache=entry.cache,
        cost=0,
        overhead=flight.elapsed_us() / 1000,
    )
    await exchange.reply(200, [_JSON, (NAME, told)], kept.body)
