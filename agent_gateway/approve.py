"""Stage: a person's consent to one call of an agent, where policy asks for it."""

import asyncio
import contextlib

import msgspec
from msgspec import Raw

from agent_gateway.read import Ask
from shared import sse
from shared.account import Flight
from shared.approvals import Park
from shared.asgi import Exchange
from shared.policy import Grant

# Long enough not to turn quick refusals into streams, short enough for the idle timers of proxies.
_PULSE_SECONDS = 15.0
_PULSE = b": waits for a person's approval\n\n"
_MESSAGE_ID = "messageId"


async def approve(park: Park, grant: Grant, ask: Ask, exchange: Exchange, flight: Flight) -> None:
    """Consent to exactly these parameters; a client that expects a stream hears that it still waits. Raises
    Unapproved, Unavailable.
    """
    if not grant.decision.approval:
        return
    if ask.call is None or not ask.call.method.streams:
        await park(flight, grant, _arguments(ask))
        return
    pulse = asyncio.create_task(_pulse(exchange))
    try:
        await park(flight, grant, _arguments(ask))
    finally:
        pulse.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, RuntimeError):
            # That the client is gone is noticed elsewhere.
            await pulse


async def _pulse(exchange: Exchange) -> None:
    while True:
        await asyncio.sleep(_PULSE_SECONDS)
        if not exchange.started:
            await exchange.start(200, sse.HEADERS)
        await exchange.write(_PULSE)


def _arguments(ask: Ask) -> bytes:
    """What the call says. A message's id is new each time that the message is sent: it is no part of that."""
    if ask.call is None:
        return b"{}"
    said = dict(ask.call.params)
    with contextlib.suppress(msgspec.DecodeError, KeyError):
        message = msgspec.json.decode(said["message"], type=dict[str, Raw])
        message.pop(_MESSAGE_ID, None)
        said["message"] = Raw(msgspec.json.encode(message))
    method = ask.call.method.name
    if "method" in said:
        # A parameter of this name must not be taken for the method itself.
        return msgspec.json.encode({"method": method, "params": said})
    return msgspec.json.encode({"method": method, **said})
