"""What the tests of card trust stand on."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import msgspec

from shared.asgi import Send
from shared.identity.signing import Signer
from tests.agent_gateway.gateway import Gateway, gateway, message
from tests.support.agents import Heard, RunningAgent, reply, scripted

CARD = "/agents/writer/.well-known/agent-card.json"


class Publisher:
    """An agent whose card the test writes, and who signs it as the official SDK does."""

    def __init__(self) -> None:
        self.signer = Signer("publisher")
        self.card: dict[str, Any] = {}

    @property
    def jwk(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self.signer.jwks())["keys"][0]
        return found

    def publish(self, card: dict[str, Any]) -> dict[str, Any]:
        self.card = card
        return card

    async def __call__(self, heard: Heard, send: Send) -> None:
        if heard.method == "GET":
            await reply(send, msgspec.json.encode(self.card))
            return
        answer = {
            "jsonrpc": "2.0",
            "id": heard.body["id"],
            "result": {"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "ok"}]}},
        }
        await reply(send, msgspec.json.encode(answer))


def card(description: str = "writes", **more: Any) -> dict[str, Any]:
    return {
        "name": "writer",
        "description": description,
        "version": "1.0.0",
        "supportedInterfaces": [],
        "capabilities": {"streaming": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "write", "name": "Write", "description": "Writes.", "tags": ["text"]}],
        **more,
    }


@contextlib.asynccontextmanager
async def held(
    directory: Path, publisher: Publisher, trust: dict[str, Any], **section: Any
) -> AsyncIterator[tuple[Gateway, RunningAgent]]:
    """A gateway whose agent `writer` is held to `trust`; its card is never old enough to be kept."""
    settings = {"writer": {"trust": trust}}
    often = {"card_seconds": 0.001, "registry": {"check_seconds": 3600}, **section}
    async with (
        scripted(publisher) as writer,
        gateway(directory, writer=writer, settings=settings, section=often) as gate,
    ):
        yield gate, writer


async def _use(gate: Gateway) -> int:
    return (await gate.call("writer", "SendMessage", message())).code


def _by_hand(header: dict[str, Any], payload: bytes, publisher: Publisher) -> tuple[str, str]:
    key = publisher.signer._keys[0].private
    token = jwt.api_jws.encode(payload, key, algorithm="ES256", headers=header)
    protected, _, signature = token.split(".")
    return protected, signature


async def _refused(gate: Gateway) -> bool:
    return await _use(gate) == -32000
