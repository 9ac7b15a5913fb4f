"""One request on its way to one provider, with whichever of its keys is not resting."""

from llm_gateway.catalog import Target
from llm_gateway.formats import Outbound
from llm_gateway.providers.keys import another
from shared.asgi import Headers
from shared.http_client import HttpClient, Reply


async def dispatch(
    http: HttpClient, target: Target, address: str, outbound: Outbound, passed: Headers, *, patience: float
) -> Reply:
    """The answer's head, whatever it says. `patience` is how long it may take, in seconds. Raises
    UpstreamFault.
    """
    provider, section = target.provider, target.provider.section
    await provider.prepare(http)
    tries = len(section.keys)
    while True:
        sent = provider.headers(passed, address=address, body=outbound.body)
        reply = await http.send(
            "POST",
            address,
            headers=sent,
            body=outbound.body,
            connect_timeout=section.connect_timeout_seconds,
            header_timeout=patience,
            idle_timeout=section.idle_timeout_seconds,
        )
        tries -= 1
        if reply.status < 400 or not another(sent, reply) or tries <= 0:
            return reply
        await reply.close()
