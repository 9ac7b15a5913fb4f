"""Asks clients of the session era: each question goes out under an id of ours, and its answer may come in at
any replica.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import msgspec

from mcp_gateway.mail import Mail
from mcp_gateway.questions.wording import Question, encoded, for_session, withdrawn
from mcp_gateway.sessions import Session
from shared import jsonrpc
from shared.errors import BadRequest
from shared.jsonrpc import Envelope
from shared.redis_client import Redis

_ID_BYTES = 16
_LONGEST_ID = 32
# As long as a call may take at the very most; who answers later answers nobody.
_SECONDS = 3600
Send = Callable[[bytes], Awaitable[None]]


class Desk:
    def __init__(self, redis: Redis, mail: Mail) -> None:
        self._redis = redis
        self._mail = mail

    async def ask(self, session: Session, question: Question, send: Send) -> Envelope:
        """The client's answer, a result or an error, however long it takes. To stop waiting is to take the
        question back. Raises Unavailable.
        """
        question_id = secrets.token_urlsafe(_ID_BYTES)
        with self._mail.opened() as box:
            key = _key(session, question_id)
            await self._redis.execute("SET", key, box.address, "EX", _SECONDS)
            try:
                await send(for_session(question, question_id))
                return msgspec.json.decode(await box.get(), type=Envelope)
            except asyncio.CancelledError:
                await send(withdrawn(question_id))
                raise

    async def answered(self, session: Session, answer: Envelope) -> None:
        """Takes an answer to whoever asked. Raises BadRequest where this session has not been asked that."""
        try:
            question_id = msgspec.json.decode(answer.id, type=str)
        except msgspec.DecodeError:
            question_id = ""
        address = None
        if 0 < len(question_id) <= _LONGEST_ID:
            address = await self._redis.execute("GETDEL", _key(session, question_id))
        if not address:
            raise BadRequest(
                "this answers no question that is open in this session", code=jsonrpc.INVALID_REQUEST
            )
        await self._mail.post(bytes(address).decode(), encoded(answer))


def _key(session: Session, question_id: str) -> str:
    return f"gs:{{{session.tenant}}}:mcp:question:{session.id}:{question_id}"
