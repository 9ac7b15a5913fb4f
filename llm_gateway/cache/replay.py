"""A kept answer on its way out, in the caller's own format: whole, or as the stream that it asked for."""

from collections.abc import Iterator, Sequence

from llm_gateway.cache.stored import Stored
from llm_gateway.call import Call
from llm_gateway.chat.events import Event, PartDelta, events_of
from llm_gateway.relay import Keep
from llm_gateway.told import NAME, line
from shared import sse
from shared.account import Flight
from shared.asgi import Exchange

_JSON = (b"content-type", b"application/json")
# As long as a provider's own pieces are, more or less.
_PIECE = 24


async def replay(
    exchange: Exchange, flight: Flight, call: Call, known: Stored, keepers: Sequence[Keep]
) -> None:
    """`keepers` get the reply before its last byte goes out."""
    entry = flight.entry
    entry.model, entry.provider = known.model, known.provider
    flight.check()
    entry.saved_micros = known.cost_micros
    entry.saved_us = max(0, known.upstream_us - flight.elapsed_us())
    told = (
        NAME,
        line(
            model=known.model,
            provider=known.provider,
            attempts=0,
            cache=entry.cache,
            cost=0,
            overhead=flight.elapsed_us() / 1000,
        ),
    )
    for keep in keepers:
        await keep(known.reply)
    if not call.ask.stream:
        await exchange.reply(200, [_JSON, told], call.spoken.reply(known.reply, call.ask))
        return
    writer = call.spoken.writer(call.ask)
    await exchange.start(200, [*sse.HEADERS, told])
    written = [writer.write(piece) for event in events_of(known.reply) for piece in _pieces(event)]
    await exchange.finish(b"".join(written))


def _pieces(event: Event) -> Iterator[Event]:
    if not isinstance(event, PartDelta) or len(event.text) <= _PIECE:
        yield event
        return
    for at in range(0, len(event.text), _PIECE):
        signature = event.signature if at == 0 else ""
        yield PartDelta(place=event.place, text=event.text[at : at + _PIECE], signature=signature)
