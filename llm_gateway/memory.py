"""Signed thoughts of models, kept for clients whose wire format has no room for them: a model that has
thought before it called a tool wants its own words back, unchanged, with the tool's result.

Found again by the call's id, for the same principal only, and for an hour.
"""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, Thinking, ToolCall
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat, Message
from shared.errors import Unavailable
from shared.identity.principal import Caller
from shared.limits.keys import tenant_keys
from shared.redis_client import Redis, RedisError, Script

_SECONDS = 3600
_CALLS_MAX = 128
_GONE = (Unavailable, RedisError)
_KEEP = Script("for _, name in ipairs(KEYS) do redis.call('SET', name, ARGV[1], 'EX', ARGV[2]) end")


class Thoughts(Struct, frozen=True, array_like=True):
    """What came before the calls of one reply, and each call's own signature by its id."""

    origin: str
    thinking: tuple[Thinking, ...]
    signatures: dict[str, str]


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Thoughts).decode


class Memory:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def keep(self, caller: Caller, reply: Reply) -> None:
        """Sent on its way and not waited for: the next request comes after the tool has been run."""
        calls = [part for part in reply.parts if isinstance(part, ToolCall)]
        thinking = tuple(part for part in reply.parts if isinstance(part, Thinking) and part.signature)
        signatures = {call.id: call.signature for call in calls if call.signature}
        if not calls or not (thinking or signatures):
            return
        origin = thinking[0].origin if thinking else calls[0].origin
        names = [_name(caller, call.id) for call in calls[:_CALLS_MAX]]
        self._redis.post(_KEEP, names, [_pack(Thoughts(origin, thinking, signatures)), _SECONDS])

    async def recalled(self, caller: Caller, chat: Chat, wire: str) -> Chat:
        """`chat` with the thoughts that the provider speaking `wire` has had on the way, as far as they are
        known.
        """
        ids = [call.id for message in chat.messages for call in _forgotten(message, wire)][-_CALLS_MAX:]
        if not ids:
            return chat
        try:
            found = await self._redis.execute("MGET", *(_name(caller, call_id) for call_id in ids))
        except _GONE:
            return chat
        known = {
            call_id: thoughts
            for call_id, data in zip(ids, found, strict=True)
            if data is not None and (thoughts := _unpack(data)).origin == wire
        }
        if not known:
            return chat
        messages = tuple(_remembering(message, known, wire) for message in chat.messages)
        return msgspec.structs.replace(chat, messages=messages)


def _forgotten(message: Message, wire: str) -> Sequence[ToolCall]:
    """The calls of a message that has lost what was signed."""
    if any(isinstance(part, Thinking) and part.origin == wire for part in message.parts):
        return ()
    return [part for part in message.parts if isinstance(part, ToolCall) and not part.signature]


def _remembering(message: Message, known: dict[str, Thoughts], wire: str) -> Message:
    calls = [call for call in _forgotten(message, wire) if call.id in known]
    if not calls:
        return message
    signed = {call.id: known[call.id].signatures.get(call.id, "") for call in calls}
    parts: tuple[AnyPart, ...] = tuple(
        msgspec.structs.replace(part, signature=signed[part.id], origin=wire)
        if isinstance(part, ToolCall) and signed.get(part.id)
        else part
        for part in message.parts
        if not isinstance(part, Thinking)
    )
    return msgspec.structs.replace(message, parts=(*known[calls[0].id].thinking, *parts))


def _name(caller: Caller, call_id: str) -> str:
    who = blake2b("\x1f".join((*caller.actors, call_id)).encode(errors="replace"), digest_size=20)
    return f"{tenant_keys(caller.principal.tenant).prefix}thought:{who.hexdigest()}"
