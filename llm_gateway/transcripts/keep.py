"""The stage: is this call's content to be kept? If so, its words are redacted, digested into the entry and
sent to where they are kept until they run out.
"""

import secrets
from collections.abc import Sequence
from hashlib import blake2b, sha256
from typing import Any

import msgspec

from llm_gateway.call import Call
from llm_gateway.catalog import Model
from llm_gateway.chat.reply import Reply
from llm_gateway.relay import Keep
from llm_gateway.transcripts.content import content
from llm_gateway.transcripts.redact import Redact
from llm_gateway.transcripts.section import TranscriptSection
from shared.account import Flight
from shared.identity.principal import Caller
from shared.limits.facts import caller_facts
from shared.policy.glob import covers
from shared.redis_client import Redis
from shared.transcripts import Transcripts

_DAY = 86_400


class Transcribe:
    def __init__(self, sections: Sequence[TranscriptSection], redis: Redis) -> None:
        self._sections = tuple((section, Redact(section.redact)) for section in sections)
        self._transcripts = Transcripts(redis)

    def keepers(self, flight: Flight, caller: Caller, model: Model, call: Call) -> tuple[Keep, ...]:
        """What to do with the reply once it is whole: nothing for all calls that nobody has opted in."""
        found = self._find(flight, caller, model) if self._sections else None
        if found is None or not sampled(flight.entry.id, found[0].sample):
            return ()

        async def keep(reply: Reply) -> None:
            await self._keep(*found, flight, caller, call, reply)

        return (keep,)

    def _find(self, flight: Flight, caller: Caller, model: Model) -> tuple[TranscriptSection, Redact] | None:
        facts: dict[str, Sequence[str]] = {name: (value,) for name, value in caller_facts(caller).items()}
        facts |= {"model": (model.name,), "tag": flight.entry.tags}
        return next((found for found in self._sections if _fits(found[0], facts)), None)

    async def _keep(
        self,
        section: TranscriptSection,
        redact: Redact,
        flight: Flight,
        caller: Caller,
        call: Call,
        reply: Reply,
    ) -> None:
        """What goes wrong here is noted and no reason not to answer; nothing is kept then."""
        entry = flight.entry
        try:
            said = content(call.chat, reply)
            if len(msgspec.json.encode(said)) > section.max_bytes:
                entry.findings += ("transcript:too_large",)
                return
            said = await redact(said)
            kept = msgspec.json.encode(_head(flight, caller, section) | said)
        except Exception:  # whatever it is: what could not be looked at is not kept
            entry.findings += ("transcript:failed",)
            return
        entry.digest = sha256(kept).hexdigest()
        self._transcripts.keep(caller, entry.id, kept, section.retention_days * _DAY)


def sampled(entry: str, share: float) -> bool:
    """Always the same for the same entry."""
    number = int.from_bytes(blake2b(entry.encode(), digest_size=7, person=b"transcript").digest())
    return number < share * 2**56


def _head(flight: Flight, caller: Caller, section: TranscriptSection) -> dict[str, Any]:
    """`salt` keeps what was said from being guessed by its digest, which outlives it."""
    return {
        "entry": flight.entry.id,
        "chain": caller.chain,
        "at": flight.entry.started_at,
        "actors": caller.actors,
        "redacted": section.redact,
        "salt": secrets.token_hex(16),
    }


def _fits(section: TranscriptSection, facts: dict[str, Sequence[str]]) -> bool:
    return all(
        any(covers(pattern, value) for value in facts.get(fact, ()))
        for fact, pattern in section.match.items()
    )
