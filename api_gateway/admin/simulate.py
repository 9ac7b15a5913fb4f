"""A draft of the policy, tried before anybody has to live with it: linted, and held against the calls that
the ledger remembers.
"""

import asyncio

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.admin.period import moment
from api_gateway.control import Control
from shared.errors import BadRequest
from shared.policy import Policy, PolicyProblems, PolicyRules
from shared.policy.difference import visible
from shared.policy.document import PolicyDocument
from shared.policy.lint import lint
from shared.policy.replay import Replay
from shared.policy.trial import tried
from shared.store import EntryFilter

_MOST_ROWS = 1_000_000
_PAGE = 250


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `limit` decisions of the period are looked at, the newest first."""

    policy: PolicyRules
    since: str = "7d"
    until: str = "0s"
    tenant: str = ""
    limit: int = 100_000


async def check(control: Control, ask: Ask) -> Answer:
    """Every problem of a policy, and every example of its own that comes out otherwise."""
    document = ask.read(PolicyDocument)
    if document.files:
        raise BadRequest("files: files are read where they are; send the rules that they hold")
    findings = await asyncio.to_thread(lint, document)
    try:
        failures = tried(await asyncio.to_thread(Policy.compile, document, 0), document.tests)
    except PolicyProblems:
        failures = []
    wrong = bool(failures) or any(finding.level == "error" for finding in findings)
    return 200, {
        "ok": not wrong,
        "findings": findings,
        "tests": len(document.tests),
        "failures": failures,
    }


async def simulate(control: Control, ask: Ask) -> Answer:
    """What would have become of past calls. Traffic goes on meanwhile: it works in small steps."""
    wanted = ask.read(Draft)
    if not 0 < wanted.limit <= _MOST_ROWS:
        raise BadRequest(f"limit: between 1 and {_MOST_ROWS}")
    tenant = ask.tenant(wanted.tenant)
    try:
        draft = await asyncio.to_thread(Policy.compile, visible(wanted.policy, tenant), 0)
    except PolicyProblems as error:
        found = error.problems
        raise BadRequest(f"the draft has {len(found)} problem(s): {'; '.join(found)}", data=found) from error
    replay = Replay(draft, control.policy.current)
    now = control.now_us()
    whole = await _replayed(control, replay, wanted, tenant, now)
    shifts = replay.shifts()
    return 200, {
        "epoch": control.policy.current.epoch,
        "calls": replay.rows,
        "skipped": replay.skipped,
        "complete": whole,
        "changed": sum(shift.count for shift in shifts),
        "shifts": shifts,
    }


async def _replayed(control: Control, replay: Replay, wanted: Draft, tenant: str | None, now: int) -> bool:
    """False where there is more in the period than was to be looked at."""
    asked = EntryFilter(
        tenant=tenant,
        since_us=moment(wanted.since, "since", now),
        until_us=moment(wanted.until, "until", now) + 1,
        decided=True,
        limit=_PAGE,
    )
    left = wanted.limit
    while left > 0:
        page = await control.store.entries(msgspec.structs.replace(asked, limit=min(_PAGE, left)))
        for row in page:
            replay.add(row)
        if len(page) < min(_PAGE, left):
            return True
        left -= len(page)
        asked = msgspec.structs.replace(asked, below=(page[-1].started_at, page[-1].id))
        await asyncio.sleep(0)
    return False


PAGES = (
    Page(method="POST", path="/policy/check", area="policy", action="read", call=check, body=PolicyDocument),
    Page(method="POST", path="/policy/simulate", area="policy", action="read", call=simulate, body=Draft),
)
