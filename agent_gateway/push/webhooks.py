"""Clients' webhooks, kept in Redis: where each one is, for which task of whose, and how it wants to be
called. The token with which the agent comes in is only kept as its hash.
"""

import hashlib
import hmac
import secrets

import msgspec
from msgspec import Struct

from agent_gateway.bindings.params import ID_LENGTH
from agent_gateway.call import Wire
from shared.errors import BadRequest
from shared.identity.principal import Caller
from shared.ledger.entry import new_id
from shared.limits.keys import encoded
from shared.redis_client import Redis

_PREFIX = "gs:{push}"


class Webhook(Struct, frozen=True, kw_only=True):
    """`id` is ours and what the agent knows; `name` the client's. `task` is "" until the task is known.
    `caller` is who registered it, on whose behalf notifications come in.
    """

    id: str
    name: str
    agent: str
    caller: Caller
    wire: Wire
    url: str
    secret: str
    task: str = ""
    token: str = ""
    scheme: str = ""
    credentials: str = ""

    def admits(self, secret: str) -> bool:
        return hmac.compare_digest(self.secret, hashed(secret))


_WEBHOOK = msgspec.json.Decoder(Webhook)


class Webhooks:
    """`seconds` is how long one is kept after it was last used, `per_task` how many a task may have."""

    def __init__(self, redis: Redis, *, seconds: int, per_task: int) -> None:
        self._redis = redis
        self._seconds = seconds
        self._per_task = per_task

    async def add(self, webhook: Webhook) -> None:
        """Raises BadRequest for one too many; one of the same name is replaced."""
        if webhook.task:
            await self._bind(webhook)
        await self._save(webhook)

    async def find(self, hook: str) -> Webhook | None:
        if len(hook) > ID_LENGTH:
            return None
        found = await self._redis.execute("GETEX", hook_key(hook), "EX", self._seconds)
        return None if found is None else _WEBHOOK.decode(found)

    async def bound(self, hook: str, task: str) -> None:
        """The call that brought `hook` along has started `task`."""
        webhook = await self.find(hook)
        if webhook is not None and not webhook.task:
            await self.add(msgspec.structs.replace(webhook, task=task))

    async def of(self, tenant: str, agent: str, task: str) -> list[Webhook]:
        ids = await self._redis.execute("HVALS", _task_key(tenant, agent, task))
        found = [await self.find(bytes(hook).decode()) for hook in ids]
        return [webhook for webhook in found if webhook is not None]

    async def named(self, tenant: str, agent: str, task: str, name: str) -> Webhook | None:
        hook = await self._redis.execute("HGET", _task_key(tenant, agent, task), name)
        return None if hook is None else await self.find(bytes(hook).decode())

    async def remove(self, webhook: Webhook) -> None:
        await self._redis.execute("DEL", hook_key(webhook.id))
        if webhook.task:
            tenant = webhook.caller.principal.tenant
            key = _task_key(tenant, webhook.agent, webhook.task)
            held = await self._redis.execute("HGET", key, webhook.name)
            if held is not None and bytes(held).decode() == webhook.id:
                await self._redis.execute("HDEL", key, webhook.name)

    async def _bind(self, webhook: Webhook) -> None:
        key = _task_key(webhook.caller.principal.tenant, webhook.agent, webhook.task)
        before = await self._redis.execute("HGET", key, webhook.name)
        if before is None and await self._redis.execute("HLEN", key) >= self._per_task:
            raise BadRequest(f"a task may have {self._per_task} push notification configs at most")
        await self._redis.execute("HSET", key, webhook.name, webhook.id)
        await self._redis.execute("EXPIRE", key, self._seconds)
        if before is not None and bytes(before).decode() != webhook.id:
            await self._redis.execute("DEL", hook_key(bytes(before).decode()))

    async def _save(self, webhook: Webhook) -> None:
        value = msgspec.json.encode(webhook)
        await self._redis.execute("SET", hook_key(webhook.id), value, "EX", self._seconds)


def new_secret() -> tuple[str, str]:
    """An id and a secret, neither of which can be guessed."""
    return f"{new_id()}{secrets.token_hex(8)}", secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def hook_key(hook: str) -> str:
    return f"{_PREFIX}:hook:{hook}"


def _task_key(tenant: str, agent: str, task: str) -> str:
    # What is encoded holds no brace: none of the three can end in the place of another.
    return f"{_PREFIX}:of:{{{encoded(tenant)}}}:{agent}:{{{encoded(task)}}}"
