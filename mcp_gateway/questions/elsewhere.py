"""A call that waits at another replica, and what replicas write to one another about it."""

import asyncio
import contextlib

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.conversation import Asked
from mcp_gateway.conversation import Said as Spoken
from mcp_gateway.mail import Box, Mail
from shared import jsonrpc
from shared.errors import BadRequest, Unavailable, UpstreamBroken
from shared.jsonrpc import Envelope

# The box in which every replica hears that a call which waits there can go on.
RESUME = "resume"
# How long another replica may take to say that it has the call.
_TAKEN_SECONDS = 3.0


class Resume(Struct, frozen=True):
    """Go on with the call `name`; the rest of it is wanted at `reply`."""

    name: str
    responses: dict[str, bytes]
    reply: str


class Taken(Struct, frozen=True, tag=True):
    """It goes on; a word to `leave` cancels it."""

    leave: str


class Said(Struct, frozen=True, tag=True):
    """One message of the server."""

    message: bytes


class Questions(Struct, frozen=True, tag=True):
    """It waits again, for answers to these."""

    questions: dict[str, bytes]
    address: str


class Ended(Struct, frozen=True, tag=True):
    """It is over without an answer."""

    detail: str


Told = Taken | Said | Questions | Ended
_TOLD = msgspec.msgpack.Decoder(Told)


class Elsewhere:
    """Made by `resumed`. Closed before its end it cancels the call."""

    def __init__(self, mail: Mail, box: Box, kept: contextlib.ExitStack, leave: str) -> None:
        self._mail = mail
        self._box = box
        self._kept = kept
        self._leave = leave

    @classmethod
    async def resumed(
        cls, mail: Mail, replica: str, name: str, responses: dict[str, Raw]
    ) -> "Elsewhere | Asked":
        """Raises BadRequest when that replica, or the call, is gone."""
        with contextlib.ExitStack() as stack:
            box = stack.enter_context(mail.opened())
            raws = {key: bytes(raw) for key, raw in responses.items()}
            letter = msgspec.msgpack.encode(Resume(name, raws, box.address))
            await mail.post(f"{replica}/{RESUME}", letter)
            try:
                async with asyncio.timeout(_TAKEN_SECONDS):
                    told = _TOLD.decode(await box.get())
            except TimeoutError:
                raise gone() from None
            if isinstance(told, Questions):
                return _asked(told)
            if not isinstance(told, Taken):
                raise gone()
            return cls(mail, box, stack.pop_all(), told.leave)

    async def next(self, *, waiting: bool = False) -> Spoken | Asked:
        # The replica that has the call knows how long it may be silent.
        told = _TOLD.decode(await self._box.get())
        if isinstance(told, Said):
            message = msgspec.json.decode(told.message, type=Envelope)
            self._leave = self._leave if message.method else ""
            return message
        self._leave = ""
        if isinstance(told, Questions):
            return _asked(told)
        raise UpstreamBroken(told.detail if isinstance(told, Ended) else "the MCP server was left")

    async def close(self) -> None:
        self._kept.close()
        if self._leave:
            with contextlib.suppress(Unavailable):
                await self._mail.post(self._leave, b"")


def packed(told: Told) -> bytes:
    return msgspec.msgpack.encode(told)


def gone() -> BadRequest:
    return BadRequest(
        "the call that asked this is over: call again without params.requestState",
        code=jsonrpc.INVALID_PARAMS,
    )


def _asked(told: Questions) -> Asked:
    asked = {key: msgspec.json.decode(raw, type=Envelope) for key, raw in told.questions.items()}
    return Asked(asked, told.address)
