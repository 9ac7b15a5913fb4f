"""The one question of the demo: asked over A2A by an official client that has nothing but an address and
a key.
"""

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.helpers import get_message_text, get_stream_response_text, new_text_message
from a2a.types import Role, SendMessageRequest, StreamResponse, TaskState
from msgspec import Struct

from demo.processes import DemoFailed

QUESTION = "What time is it in Tokyo, and what was the last change to this project?"
_SECONDS = 900.0


class Answered(Struct, frozen=True):
    text: str
    chain: str


async def ask(url: str, key: str) -> Answered:
    """Asks planner at the edge, and prints what it says it is doing. Raises DemoFailed."""
    chains: list[str] = []

    async def note(response: httpx.Response) -> None:
        if response.request.method == "POST":
            chains.append(response.headers.get("x-gatestack-chain", ""))

    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=headers, timeout=_SECONDS, event_hooks={"response": [note]}) as http:
        client = await ClientFactory(ClientConfig(httpx_client=http)).create_from_url(f"{url}/agents/planner")
        request = SendMessageRequest(message=new_text_message(QUESTION, role=Role.ROLE_USER))
        text = ""
        async for event in client.send_message(request):
            text = _heard(event) or text
    if not text or not chains:
        raise DemoFailed("planner did not answer")
    return Answered(text, chains[-1])


def _heard(event: StreamResponse) -> str:
    """What an event adds to the answer; what it says about the work is printed."""
    status = event.status_update.status
    if status.state == TaskState.TASK_STATE_FAILED:
        raise DemoFailed(get_message_text(status.message))
    if status.HasField("message"):
        print(f"    planner: {get_message_text(status.message)}", flush=True)
        return ""
    return get_stream_response_text(event)
