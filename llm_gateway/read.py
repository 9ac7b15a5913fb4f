"""Bytes to Ask: the stage that refuses what is no chat call before anything is decided about it."""

from llm_gateway.chat import Ask
from llm_gateway.formats import Format
from shared.asgi import Exchange
from shared.errors import MethodNotAllowed


async def read(exchange: Exchange, spoken: Format, cap: int) -> Ask:
    """The caller's request in the format it is spoken in. Raises BadRequest, MethodNotAllowed, TooLarge."""
    if exchange.method != "POST":
        raise MethodNotAllowed(f"{exchange.path} takes POST only")
    return spoken.read(await exchange.body(cap))
