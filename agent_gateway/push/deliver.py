"""Brings notifications to clients' webhooks: in order, again when that fails, and only to where the egress
guard lets it.

What comes of each stands in the ledger before it leaves the queue.
"""

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from typing import Any

from agent_gateway.config import PushSection
from agent_gateway.push.outbox import Letter, Outbox
from agent_gateway.push.record import Record
from agent_gateway.push.webhooks import Webhook, Webhooks
from shared.egress import Egress
from shared.errors import Forbidden, GatestackError, Killed, Refusal, Unavailable, UpstreamRefused
from shared.http_client import HttpClient
from shared.kill import KillSwitch
from shared.ledger.entry import Entry, Outcome
from shared.redis_client import RedisError

_AT_ONCE, _LOOK_SECONDS = 16, 1.0
_AGAIN = frozenset((408, 425, 429))

# The status of a webhook's answer and its Retry-After.
Answer = tuple[int, str | None]


class Deliver:
    def __init__(
        self,
        outbox: Outbox,
        webhooks: Webhooks,
        http: HttpClient,
        egress: Egress,
        kill: KillSwitch,
        record: Record,
        section: PushSection,
    ) -> None:
        self.news = asyncio.Event()
        self._outbox = outbox
        self._webhooks = webhooks
        self._http = http
        self._egress = egress
        self._kill = kill
        self._record = record
        self._section = section

    async def run(self) -> None:
        """Until it is cancelled. What another replica has queued is found by looking."""
        while True:
            self.news.clear()
            try:
                busy = await self.once()
            except (Unavailable, RedisError):
                busy = False
            if not busy:
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self.news.wait()
                except TimeoutError:
                    continue

    async def once(self) -> bool:
        """Everything that is due now; whether there was anything."""
        taken = await self._outbox.take(_AT_ONCE)
        await asyncio.gather(*(self._one_or_back(hook, raw, letter) for hook, raw, letter in taken))
        return bool(taken)

    async def _one_or_back(self, hook: str, raw: bytes, letter: Letter) -> None:
        try:
            await self._one(hook, raw, letter)
        except asyncio.CancelledError:
            # This process ends: another need not wait until the lease is over.
            with contextlib.suppress(Unavailable, RedisError):
                await self._outbox.back(hook)
            raise

    async def _one(self, hook: str, raw: bytes, letter: Letter) -> None:
        webhook = await self._webhooks.find(hook)
        if webhook is None:
            await self._outbox.forget(hook)
            return
        entry = self._record.opened(webhook, letter)
        try:
            # Whoever registered it, or the agent, may have been stopped meanwhile.
            self._kill.check(entry)
            entry.status, after = await self._unless_stopped(entry, self._sent(webhook, letter))
        except Refusal as error:
            entry.reason, entry.detail = error.reason, error.detail
            outcome = Outcome.KILLED if isinstance(error, Killed) else Outcome.REFUSED
            await self._given_up(hook, raw, letter, entry, outcome)
        except GatestackError as error:
            entry.reason, entry.detail = error.reason, error.detail
            await self._failed(hook, raw, letter, entry, None)
        else:
            await self._answered(webhook, raw, letter, entry, after)

    async def _unless_stopped(self, entry: Entry, sent: Coroutine[Any, Any, Answer]) -> Answer:
        """What is under way when a kill arrives is cut. Raises what the kill switch says."""
        sending = asyncio.create_task(sent)
        stopped: list[GatestackError] = []

        def cut(reason: GatestackError) -> None:
            stopped.append(reason)
            sending.cancel()

        token = self._kill.enter(entry, cut)
        try:
            return await sending
        except asyncio.CancelledError:
            if not stopped:
                raise
            raise stopped[0] from None
        finally:
            self._kill.leave(token)

    async def _answered(
        self, webhook: Webhook, raw: bytes, letter: Letter, entry: Entry, after: str | None
    ) -> None:
        hook, status = webhook.id, entry.status
        if 200 <= status < 300:
            await self._record.closed(entry, letter, Outcome.COMPLETED)
            await self._outbox.done(hook, raw)
            return
        entry.reason, entry.detail = UpstreamRefused.reason, f"the webhook answered HTTP {status}"
        if status == 410:
            await self._removed(webhook, letter, entry)
        elif status >= 500 or status in _AGAIN:
            await self._failed(hook, raw, letter, entry, after)
        else:
            await self._given_up(hook, raw, letter, entry, Outcome.FAILED)

    async def _removed(self, webhook: Webhook, letter: Letter, entry: Entry) -> None:
        """It wants no more: what else waits for it is dropped, and has its place in the one entry."""
        entry.times = max(1, await self._outbox.waiting(webhook.id))
        entry.detail += f": it is removed, and {entry.times - 1} more that waited for it are dropped"
        await self._record.closed(entry, letter, Outcome.FAILED)
        await self._webhooks.remove(webhook)
        await self._outbox.forget(webhook.id)

    async def _failed(self, hook: str, raw: bytes, letter: Letter, entry: Entry, after: str | None) -> None:
        section = self._section
        if letter.attempts + 1 >= section.attempts:
            await self._given_up(hook, raw, letter, entry, Outcome.FAILED)
            return
        pause = min(section.pause_seconds * 2**letter.attempts, section.longest_seconds)
        asked = float(after) if after is not None and after.isascii() and after.isdigit() else 0.0
        wait = max(pause * random.uniform(0.5, 1.0), min(asked, section.longest_seconds))  # noqa: S311
        await self._outbox.later(hook, raw, letter, wait)

    async def _given_up(self, hook: str, raw: bytes, letter: Letter, entry: Entry, outcome: Outcome) -> None:
        await self._record.closed(entry, letter, outcome)
        await self._outbox.bury(hook, raw, letter, entry.detail)

    async def _sent(self, webhook: Webhook, letter: Letter) -> Answer:
        """Redirects are answers, and not followed."""
        destination = await self._egress.check(webhook.url)
        if self._section.https_only and destination.scheme != "https":
            raise Forbidden("webhooks are called over https only")
        seconds = self._section.timeout_seconds
        async with await self._http.send(
            "POST",
            webhook.url,
            headers=_headers(webhook, letter),
            body=letter.body.encode(),
            connect_timeout=seconds,
            header_timeout=seconds,
            idle_timeout=seconds,
            pinned=destination,
        ) as reply:
            return reply.status, reply.header("retry-after")


def _headers(webhook: Webhook, letter: Letter) -> list[tuple[bytes | str, bytes | str]]:
    """The client's own authentication, and an id by which it can tell a repetition."""
    headers: list[tuple[bytes | str, bytes | str]] = [
        ("content-type", letter.kind),
        ("a2a-version", webhook.wire.rpartition("/")[2]),
        ("x-gatestack-delivery", letter.id),
        ("user-agent", "gatestack"),
    ]
    if webhook.token:
        headers.append(("x-a2a-notification-token", webhook.token))
    if webhook.scheme and webhook.credentials:
        headers.append(("authorization", f"{webhook.scheme} {webhook.credentials}"))
    return headers
