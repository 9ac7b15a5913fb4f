"""What every service is built from: opened in order, closed in reverse, each background task owned by
somebody.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from shared.account import Account
from shared.alerts import Alerts
from shared.approvals import Bell, Book, Park
from shared.background import cancelled, owned
from shared.clock import Clock
from shared.config import Loaded, Shared
from shared.http_client import HttpClient
from shared.identity.issuers import Issuers
from shared.identity.keys import Keyring
from shared.identity.signing import Signer
from shared.identity.verify import Verifier
from shared.kill import KillSwitch
from shared.kill_survey import Survey
from shared.ledger.journal import Journal
from shared.ledger.writer import Ledger
from shared.limits.limiter import Limiter
from shared.obeyed import obeyed
from shared.plane import plane_verifier
from shared.policy import PolicyBox
from shared.redis_client import Redis
from shared.redis_server import open_redis
from shared.roll_call import RollCall
from shared.snapshots import Snapshots
from shared.telemetry import Telemetry, open_telemetry


class _Works(Protocol):
    async def run(self) -> None: ...


class Parts(Struct, frozen=True, kw_only=True, dict=True):
    """The opened shared parts of one process. `failed` is set when a background task has died: the process
    must stop. `notes` are troubles that keep nobody from calling, each with whether it is there now.
    """

    service: str
    shared: Shared
    clock: Clock
    redis: Redis
    limiter: Limiter
    policy: PolicyBox
    kill: KillSwitch
    survey: Survey
    ledger: Ledger
    keyring: Keyring
    signer: Signer
    verifier: Verifier
    issuers: Issuers
    http: HttpClient
    telemetry: Telemetry
    snapshots: Snapshots
    roll: RollCall
    account: Account
    book: Book
    park: Park
    state_dir: Path
    failed: asyncio.Event
    notes: dict[str, Callable[[], bool]]

    def problems(self) -> list[str]:
        """What keeps this process from being ready, in words for an operator."""
        return _problems(self.shared, self.snapshots, self.policy)


@contextlib.asynccontextmanager
async def open_parts(service: str, loaded: Loaded[Any], clock: Clock | None = None) -> AsyncIterator[Parts]:
    """Opens everything a service needs. Raises Unavailable when Redis cannot be reached."""
    shared, clock = loaded.shared, clock or Clock()
    state_dir, failed = _state_dir(loaded), asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:

        def background(work: Coroutine[Any, Any, None], name: str) -> None:
            stack.push_async_callback(cancelled, owned(work, name, failed))

        redis = await open_redis(shared.state, state_dir, stack, background)
        signer = Signer.load_or_create(loaded.path(shared.identity.keys_dir), service)
        http, verifier, issuers = _outward(loaded, signer, clock, stack)
        limiter = Limiter(redis, clock, lease_seconds=shared.state.lease_seconds)
        ledger = _ledger(limiter, state_dir, signer, clock, stack)
        snapshots = Snapshots(redis, plane_verifier(loaded, verifier, clock, stack), clock)
        kill, keyring, policy = obeyed(snapshots, verifier, shared, clock)
        telemetry = _telemetry(service, loaded, _gauges(kill, snapshots, policy, ledger), stack)
        alerts = _alerts(redis, http, loaded.shared, limiter, telemetry, clock)
        account = _account(ledger, kill, telemetry, clock, stack)
        book, bell = Book(redis, clock), Bell(redis)
        survey = Survey(redis, kill, service)
        roll = RollCall(redis, snapshots, clock, service, partial(_problems, shared, snapshots, policy))
        work: dict[str, _Works] = {"survey": survey, "alerts": alerts, "approvals": bell, "roll": roll}
        work |= {"snapshots": snapshots, "ledger": ledger, "strangers": account.strangers}
        for name, part in work.items():
            background(part.run(), name)
        yield Parts(
            service=service,
            shared=shared,
            clock=clock,
            redis=redis,
            limiter=limiter,
            policy=policy,
            kill=kill,
            survey=survey,
            ledger=ledger,
            keyring=keyring,
            signer=signer,
            verifier=verifier,
            issuers=issuers,
            http=http,
            telemetry=telemetry,
            snapshots=snapshots,
            roll=roll,
            account=account,
            book=book,
            park=Park(book, bell, policy, keyring, shared.approvals, clock, alerts.asked),
            state_dir=state_dir,
            failed=failed,
            notes={"closed calls wait on this disk: Redis does not take them": lambda: ledger.waiting > 0},
        )


def _problems(shared: Shared, snapshots: Snapshots, policy: PolicyBox) -> list[str]:
    found = []
    if snapshots.fresh("kills") > shared.kill.max_age_seconds:
        found.append("the kill list could not be confirmed: is Redis reachable and the edge running?")
    if policy.current.epoch == 0 and (shared.control.plane or not shared.policy.rules):
        found.append("no policy yet: every call will be refused until the control plane has published one")
    return found


def _outward(
    loaded: Loaded[Any], signer: Signer, clock: Clock, stack: contextlib.AsyncExitStack
) -> tuple[HttpClient, Verifier, Issuers]:
    """The client for what is outside, and those who read with it whom to believe."""
    http = HttpClient()
    stack.push_async_callback(http.close)
    verifier = Verifier(_trust(loaded), http=http, clock=clock, own=signer)
    stack.push_async_callback(verifier.close)
    issuers = Issuers(loaded.shared.identity.issuers, http=http, clock=clock)
    stack.push_async_callback(issuers.close)
    return http, verifier, issuers


def _trust(loaded: Loaded[Any]) -> dict[str, str]:
    """Where each issuer's public keys are; a relative file is found beside the configuration file."""
    trust = dict(loaded.shared.identity.trust)
    return {issuer: where if "://" in where else str(loaded.path(where)) for issuer, where in trust.items()}


def _gauges(
    kill: KillSwitch, snapshots: Snapshots, policy: PolicyBox, ledger: Ledger
) -> dict[str, Callable[[], float]]:
    """What every service shows on `/metrics` of its own state."""
    return {
        "gatestack_calls_open": lambda: kill.open,
        "gatestack_kill_list_age_seconds": lambda: round(snapshots.fresh("kills"), 3),
        "gatestack_policy_epoch": lambda: policy.current.epoch,
        "gatestack_journal_bytes": lambda: ledger.waiting,
    }


def _telemetry(
    service: str,
    loaded: Loaded[Any],
    gauges: dict[str, Callable[[], float]],
    stack: contextlib.AsyncExitStack,
) -> Telemetry:
    section = loaded.shared.telemetry
    telemetry = open_telemetry(service, section, loaded.path(section.file))
    stack.callback(telemetry.close)
    telemetry.gauges |= gauges
    return telemetry


def _alerts(
    redis: Redis, http: HttpClient, shared: Shared, limiter: Limiter, telemetry: Telemetry, clock: Clock
) -> Alerts:
    alerts = Alerts(redis, http, shared.alerts, clock)
    alerts.attend(limiter, telemetry)
    return alerts


def _state_dir(loaded: Loaded[Any]) -> Path:
    path = loaded.path(loaded.shared.state.dir)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _account(
    ledger: Ledger, kill: KillSwitch, telemetry: Telemetry, clock: Clock, stack: contextlib.AsyncExitStack
) -> Account:
    account = Account(telemetry.service, ledger, kill, telemetry, clock)
    stack.push_async_callback(account.strangers.stop)
    return account


def _ledger(
    limiter: Limiter, state_dir: Path, signer: Signer, clock: Clock, stack: contextlib.AsyncExitStack
) -> Ledger:
    ledger = Ledger(limiter, Journal(state_dir / "journal"), signer, service=signer.issuer, clock=clock)
    stack.push_async_callback(ledger.stop)
    return ledger
