"""Bytes to Ask: the stage that refuses what is no chat call before anything is decided about it."""

import msgspec

from llm_gateway.ask import Ask
from llm_gateway.formats import Format
from llm_gateway.reach import Reach
from shared.asgi import Exchange
from shared.errors import MethodNotAllowed


async def read(exchange: Exchange, spoken: Format, cap: int, reach: Reach) -> Ask:
    """The caller's request in the format it is spoken in. Raises BadRequest, MethodNotAllowed, TooLarge."""
    if exchange.method != "POST":
        raise MethodNotAllowed(f"{exchange.path} takes POST only")
    ask = spoken.read(await exchange.body(cap), exchange.path_params)
    files = reach.files(ask)
    return msgspec.structs.replace(ask, files=files) if files else ask
