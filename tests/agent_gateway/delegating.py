"""What the tests of delegation stand on."""

import msgspec

from shared.identity import jws
from tests.agent_gateway.gateway import Answer, Gateway, message, request


async def _claims(gate: Gateway, bearer: str) -> jws.Claims:
    return await gate.parts.verifier.verify(bearer, audience="api_gateway", typ="delegation+jwt")


async def _back(gate: Gateway, name: str, bearer: str, text: str = "hi") -> Answer:
    """A call of an agent's, with nothing but the bearer that it was handed."""
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    body = msgspec.json.encode(request("SendMessage", message(text)))
    async with await gate.http.send(
        "POST", f"{gate.url}/agents/{name}", headers=list(headers.items()), body=body
    ) as reply:
        return Answer(reply.status, {}, await reply.read(65_536))
