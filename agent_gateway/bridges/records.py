"""The tasks of bridges, in Redis: what they came to, and whether somebody wants them to end."""

from typing import Any

import msgspec
from msgspec import Struct

from shared.identity.principal import Caller
from shared.ledger.entry import new_id
from shared.redis_client import Redis, Script

Json = dict[str, Any]
WORKING, COMPLETED, FAILED, CANCELED, WAITING = (
    f"TASK_STATE_{name}" for name in ("WORKING", "COMPLETED", "FAILED", "CANCELED", "INPUT_REQUIRED")
)
ENDED = frozenset((COMPLETED, FAILED, CANCELED))
_ARTIFACT = "answer"

# KEYS task · ARGV what it has come to, seconds, how the record of this task begins while it goes on
_END = Script("""
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[3]) ~= ARGV[3] then return held end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ARGV[1]
""")


class Record(Struct, frozen=True, kw_only=True):
    """One task. `parts` is its answer, `words` what its status says."""

    id: str
    context: str
    state: str = WORKING
    parts: tuple[Json, ...] = ()
    words: str = ""

    @property
    def task(self) -> Json:
        """As A2A 1.0 has it."""
        made: Json = {"id": self.id, "contextId": self.context, "status": self.status}
        return made | ({"artifacts": [self.artifact(self.parts)]} if self.parts else {})

    @property
    def status(self) -> Json:
        if not self.words:
            return {"state": self.state}
        message: Json = {
            "messageId": new_id(),
            "role": "ROLE_AGENT",
            "taskId": self.id,
            "contextId": self.context,
            "parts": [{"text": self.words}],
        }
        return {"state": self.state, "message": message}

    def artifact(self, parts: tuple[Json, ...]) -> Json:
        return {"artifactId": _ARTIFACT, "name": _ARTIFACT, "parts": list(parts)}

    def grown(self, parts: tuple[Json, ...], *, more: bool) -> Json:
        """The event that brings `parts`; with `more` they follow others."""
        update: Json = {"taskId": self.id, "contextId": self.context, "artifact": self.artifact(parts)}
        return {"artifactUpdate": update | ({"append": True} if more else {})}

    def changed(self) -> Json:
        """The event that tells its state."""
        update: Json = {"taskId": self.id, "contextId": self.context, "status": self.status}
        return {"statusUpdate": update}


_RECORD = msgspec.json.Decoder(Record)


class Records:
    """`seconds` is how long a task is remembered. Whose it is, is known to `agent_gateway/tasks.py`."""

    def __init__(self, redis: Redis, *, seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds

    async def begin(self, agent: str, caller: Caller, record: Record) -> None:
        key = _key(agent, caller, record.id)
        await self._redis.execute("SET", key, msgspec.json.encode(record), "EX", self._seconds)

    async def find(self, agent: str, caller: Caller, task: str) -> Record | None:
        found = await self._redis.execute("GET", _key(agent, caller, task))
        return _RECORD.decode(found) if found is not None else None

    async def end(self, agent: str, caller: Caller, record: Record) -> Record:
        """What the task has come to: `record`, or what was decided before."""
        value = msgspec.json.encode(record)
        key, working = _key(agent, caller, record.id), Record(id=record.id, context=record.context)
        # Members stand in their order, and what is in a text has its quotes escaped.
        going_on = msgspec.json.encode(working).partition(b',"parts":')[0]
        return _RECORD.decode(await self._redis.run(_END, [key], [value, self._seconds, going_on]))


def _key(agent: str, caller: Caller, task: str) -> str:
    return f"gs:{{{caller.principal.tenant}}}:a2a:{agent}:bridge:task:{task}"
