"""Soft alerts: tells the operator's webhook, and the log, that a limit is being used up, or that a call waits
for somebody's approval.

The scripts that count leave word in a list of Redis, once for each threshold, in the same step as they count.
Here it is taken from there and sent on: by one process at a time, behind the requests, and again where nobody
answered.
"""

import asyncio
import contextlib
import hmac
import logging
from hashlib import sha256
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from shared.approvals import Approval
from shared.clock import Clock
from shared.config import AlertsSection
from shared.errors import GatestackError
from shared.http_client import HttpClient
from shared.ledger.entry import new_id
from shared.limits.keys import TENANTS, tenant_keys
from shared.limits.limiter import Limiter
from shared.redis_client import Redis, RedisError, Script
from shared.telemetry import Telemetry

SIGNATURE = "x-gatestack-signature"
_LEADER = "gs:alerts"
_LEADER_MS = 30_000
# Word left by a process that died before it could say so is found at the next round.
_ROUND_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 60.0
_TIMEOUT_SECONDS = 10.0
_ANSWER_BYTES = 4096
_WINDOWS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "M": "month", "t": "total", "C": "total"}
_LOG = logging.getLogger("gatestack")  # noqa: TID251  no request is near
_LEAD = Script(
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
    "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0"
)
_RESIGN = Script("return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0")


class Alert(Struct, frozen=True, kw_only=True):
    """`percent` of the rule's `amount` has been used; 0 for `limit.refused`, the first refusal of a window.
    `id` is the same however often the alert arrives. `starts_at` is when the window began, 0 for one without
    an end, and like `at` seconds since 1970. A name that is too long for a key is told as `#` and its hash.
    """

    id: str
    type: str
    tenant: str
    rule: str
    unit: str
    subject: str
    window: str
    starts_at: int
    percent: int
    used: int
    amount: int
    at: int


class ApprovalAsked(Struct, frozen=True, kw_only=True, tag_field="type", tag="approval.asked"):
    """A call waits for a person's consent. `id` is the approval's, `preview` may be shown; times are seconds
    since 1970.
    """

    id: str
    tenant: str
    principal: str
    actors: tuple[str, ...]
    chain: str
    resource: str
    action: str
    preview: str
    rule: str
    expires_at: int
    at: int


class Alerts:
    """`sent` counts alerts that have arrived (or were logged where there is no webhook), `lost` those that
    were given up.
    """

    def __init__(
        self, redis: Redis, http: HttpClient, section: AlertsSection, clock: Clock, *, pause: float = 1.0
    ) -> None:
        self.sent = 0
        self.lost = 0
        self._redis = redis
        self._http = http
        self._section = section
        self._clock = clock
        self._pause = pause
        self._token = new_id()
        self._waiting: set[str] = set()
        self._wake = asyncio.Event()

    def attend(self, limiter: Limiter, telemetry: Telemetry) -> None:
        """Hears of this process's own limits at once, and tells its metrics what becomes of alerts."""
        limiter.on_alert = self.nudge
        telemetry.gauges["gatestack_alerts_sent"] = lambda: self.sent
        telemetry.gauges["gatestack_alerts_lost"] = lambda: self.lost

    def nudge(self, tenant: str) -> None:
        """There is word of this tenant's limits. Never waits."""
        self._waiting.add(tenant)
        self._wake.set()

    async def asked(self, approval: Approval) -> None:
        """Leaves word of a call that waits for somebody, as scripts do of limits. Raises Unavailable."""
        told = msgspec.structs.asdict(approval) | {
            "expires_at": approval.expires // 1_000_000,
            "at": approval.created // 1_000_000,
        }
        word = msgspec.json.encode(msgspec.convert(told, ApprovalAsked))
        await self._redis.execute("RPUSH", f"{tenant_keys(approval.tenant).prefix}alerts", word)
        self.nudge(approval.tenant)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ROUND_SECONDS):
                        await self._wake.wait()
                self._wake.clear()
                # Gone or slow: word stays where it is until the next round.
                with contextlib.suppress(GatestackError, RedisError):
                    await self.step()
                if self._waiting:
                    self._wake.set()
                    await asyncio.sleep(self._pause)
        finally:
            await self._resign()

    async def step(self) -> None:
        """Sends what waits, unless another process is at it."""
        if not await self._leads():
            return
        try:
            tenants, self._waiting = self._waiting, set()
            for tenant in tenants or await self._tenants():
                await self._send_all(tenant)
        finally:
            await self._resign()

    async def _send_all(self, tenant: str) -> None:
        names = tenant_keys(tenant)
        key = f"{names.prefix}alerts"
        while (raw := await self._redis.execute("LINDEX", key, 0)) is not None:
            alert = parsed(raw.decode(), tenant)
            if alert is not None:
                await self._deliver(alert)
            # By value: the list may have been cut from this end meanwhile.
            await self._redis.execute("LREM", key, 1, raw)

    async def _deliver(self, alert: Alert | ApprovalAsked) -> None:
        body = msgspec.json.encode(alert)
        _LOG.warning("alert: %s", body.decode())
        if self._section.webhook and not await self._post(body, alert):
            self.lost += 1
            _LOG.error("alert %s was given up: the webhook did not take it", alert.id)
        else:
            self.sent += 1

    async def _post(self, body: bytes, alert: Alert | ApprovalAsked) -> bool:
        pause = self._pause
        for attempt in range(self._section.attempts):
            if attempt:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            await self._leads()
            if await self._taken(body, alert):
                return True
        return False

    async def _taken(self, body: bytes, alert: Alert | ApprovalAsked) -> bool:
        try:
            reply = await self._http.send(
                "POST",
                self._section.webhook,
                headers=self._headers(body, alert),
                body=body,
                header_timeout=_TIMEOUT_SECONDS,
                idle_timeout=_TIMEOUT_SECONDS,
            )
            async with reply:
                await reply.read(_ANSWER_BYTES)
                return 200 <= reply.status < 300
        except GatestackError:
            return False

    def _headers(self, body: bytes, alert: Alert | ApprovalAsked) -> list[tuple[bytes | str, bytes | str]]:
        own: list[tuple[bytes | str, bytes | str]] = [
            ("content-type", "application/json"),
            ("idempotency-key", alert.id),
        ]
        if self._section.secret:
            own.append((SIGNATURE, signature(self._section.secret.reveal(), int(self._clock.now()), body)))
        return own + [(name.lower(), value.reveal()) for name, value in self._section.headers.items()]

    async def _tenants(self) -> set[str]:
        names: list[bytes] = await self._redis.execute("SMEMBERS", TENANTS)
        return {name.decode(errors="surrogatepass") for name in names}

    async def _resign(self) -> None:
        with contextlib.suppress(GatestackError, RedisError):
            await self._redis.run(_RESIGN, [_LEADER], [self._token])

    async def _leads(self) -> bool:
        return bool(await self._redis.run(_LEAD, [_LEADER], [self._token, _LEADER_MS]))


def signature(secret: str, at: int, body: bytes) -> str:
    """`t=<seconds>,v1=<HMAC-SHA256 of "<seconds>.<body>" in hex>`: whoever gets it can tell forged and old
    ones.
    """
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
    return f"t={at},v1={digest}"


def parsed(word: str, tenant: str) -> Alert | ApprovalAsked | None:
    """What a line means that was left by a script, or by `asked`; None where it is of neither."""
    try:
        if word.startswith("{"):
            return msgspec.json.decode(word, type=ApprovalAsked)
        counter, what, used, amount, at = word.split("\t")
        stem, window = counter.rsplit(":", 1)
        rule, unit, subject = stem.split(":", 2)
        refused = what == "refused"
        return Alert(
            id=sha256(f"{tenant}\t{counter}\t{what}".encode(errors="replace")).hexdigest()[:26],
            type="limit.refused" if refused else "limit.threshold",
            tenant=tenant,
            rule=unquote(rule),
            unit=unit,
            subject="" if subject == "%" else unquote(subject),
            window=_WINDOWS[window[0]],
            starts_at=int(window[1:]),
            percent=0 if refused else int(what),
            used=int(used),
            amount=int(amount),
            at=int(at),
        )
    except (ValueError, KeyError, IndexError):
        return None
