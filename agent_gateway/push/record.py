"""What the ledger says of deliveries: one entry for each notification, once it is delivered or given up,
however often that was tried.
"""

import contextlib

import msgspec

from agent_gateway.catalog import PREFIX
from agent_gateway.push.outbox import Letter
from agent_gateway.push.webhooks import Webhook
from shared import trace
from shared.clock import Clock
from shared.errors import Unavailable
from shared.identity.principal import Caller
from shared.ledger.entry import Entry, Outcome, new_id
from shared.ledger.writer import Ledger
from shared.telemetry import Telemetry

ACTION = "deliver"


class Record:
    def __init__(self, ledger: Ledger, telemetry: Telemetry, clock: Clock) -> None:
        self._ledger = ledger
        self._telemetry = telemetry
        self._clock = clock

    def opened(self, webhook: Webhook, letter: Letter) -> Entry:
        """The entry of one attempt, which is written only if that is the last: an act of whoever registered
        the webhook, below the notification's own entry.
        """
        span = trace.child(letter.trace, sample=0.0)
        return Entry(
            id=new_id(),
            service=self._telemetry.service,
            started_at=self._clock.now_us(),
            caller=_caller(webhook, letter),
            resource=PREFIX + webhook.agent,
            action=ACTION,
            agent=webhook.agent,
            task=webhook.task,
            request_id=letter.id,
            attempts=letter.attempts + 1,
            trace_id=span.trace_id,
            span_id=span.span_id,
        )

    async def closed(self, entry: Entry, letter: Letter, outcome: Outcome) -> None:
        """Makes the entry durable."""
        entry.outcome = outcome
        entry.duration_us = self._clock.now_us() - entry.started_at
        # Where nobody takes its row now, the ledger holds it and tries again.
        with contextlib.suppress(Unavailable):
            await self._ledger.close(entry, None)
        # Not counted among the calls: how a client's webhook answers says nothing about the agent.
        sampled = letter.trace is not None and letter.trace.sampled
        self._telemetry.tell(entry, letter.trace, sampled=sampled)


def _caller(webhook: Webhook, letter: Letter) -> Caller:
    caller = webhook.caller
    if not letter.parent:
        return caller
    return msgspec.structs.replace(caller, parent=letter.parent, hop=caller.hop + 1)
