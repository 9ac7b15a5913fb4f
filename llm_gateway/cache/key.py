"""Under which names answers are kept: one name for everything that an answer may depend on."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from llm_gateway.ask import Ask
from llm_gateway.cache.config import Share
from llm_gateway.catalog import Model
from llm_gateway.chat.parts import Text
from llm_gateway.chat.request import Chat, Message
from shared.guards.section import GuardSection
from shared.limits.keys import tenant_keys
from shared.policy import Grant

# What says how an answer is to be brought, or who asks, and nothing about what it is.
_BESIDE = ("stream", "stream_options", "user", "safety_identifier", "metadata", "store", "prompt_cache_key")
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder(order="deterministic").encode
_pack = msgspec.msgpack.Encoder(order="deterministic").encode


class Names:
    """Those of one call. `prefix` holds the tenant's hash tag; all else is in the digests."""

    def __init__(self, grant: Grant, model: Model, share: Share, guards: Sequence[GuardSection]) -> None:
        caller = grant.caller
        who = caller.principal
        shared: dict[Share, tuple[str, ...]] = {
            "tenant": (),
            "team": (who.team, who.project),
            "principal": (who.team, who.project, *caller.actors),
        }
        self._prefix = tenant_keys(who.tenant).prefix
        self._seen = _pack(
            (
                *(share, shared[share], who.tier, sorted(who.scope), sorted(who.roles)),
                *(grant.decision.epoch, model.name, [repr(guard) for guard in guards]),
            )
        )

    def exact(self, ask: Ask, spoken: str) -> str:
        """The same members with the same values, in whatever order they came."""
        members = _decode(ask.body)
        for name in _BESIDE:
            members.pop(name, None)
        return self._name("answer", spoken.encode(), ask.model.encode(), _encode(members))

    def namespace(self, chat: Chat) -> str:
        """All questions that differ in nothing but their last words."""
        *before, last = chat.messages
        blank = Message(role=last.role, parts=(), name=last.name)
        context = msgspec.structs.replace(
            chat, messages=(*before, blank), stream=False, user="", metadata={}, origin=""
        )
        return self._name("like", _pack(context))

    def _name(self, kind: str, *parts: bytes) -> str:
        digest = blake2b(self._seen, digest_size=20)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return f"{self._prefix}{kind}:{digest.hexdigest()}"


def question(chat: Chat) -> str | None:
    """The last words, where they are a user's and nothing but text."""
    last = chat.messages[-1] if chat.messages else None
    if last is None or last.role != "user" or not last.parts:
        return None
    texts = [part.text for part in last.parts if isinstance(part, Text)]
    return "\n".join(texts) if len(texts) == len(last.parts) else None
