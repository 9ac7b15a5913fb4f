"""The policy's versions: the one in force, the ones before, what differs, and publishing a new one.

Nothing is ever overwritten: a rollback is a new version too, and every change is an entry of the ledger that
names its author, its reason and the digest of the rules.
"""

import asyncio
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import LONGEST_REASON, Answer, Ask, Page
from api_gateway.admin.conditional import Changed, MustSay, expected, quoted
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from shared.errors import BadRequest, Forbidden, NotFound
from shared.policy import Policy, PolicyRules, problems
from shared.policy.difference import difference, visible
from shared.policy.lint import lint
from shared.snapshots import Superseded
from shared.store import PolicyVersion


class NewPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole policy as it shall be, and why. `dry_run` only shows what would change."""

    policy: PolicyRules
    reason: str = ""
    dry_run: bool = False


class Rollback(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`version` is the number of the version whose rules shall be in force again."""

    version: int
    reason: str = ""
    dry_run: bool = False


async def current(control: Control, ask: Ask) -> Answer:
    """The policy in force, with the `etag` that a change of it has to send back."""
    latest = await _latest(control)
    policy = visible(_rules(latest), ask.tenant())
    return 200, _shown(latest) | {"policy": policy, "etag": quoted(latest.number)}


async def history(control: Control, ask: Ask) -> Answer:
    """Every version, newest first."""
    return 200, {"versions": [_shown(version) for version in await control.store.policies()]}


async def version(control: Control, ask: Ask) -> Answer:
    """One version, with its rules."""
    found = await _numbered(control, ask.names["number"])
    return 200, _shown(found) | {"policy": visible(_rules(found), ask.tenant())}


async def diff(control: Control, ask: Ask) -> Answer:
    """The edits that lead from version `from` to version `to` (without it: the newest)."""
    latest = await _latest(control)
    new = await _numbered(control, ask.query["to"]) if ask.query.get("to") else latest
    old = await _numbered(control, ask.query.get("from") or str(max(new.number - 1, 1)))
    tenant = ask.tenant()
    edits = difference(visible(_rules(old), tenant), visible(_rules(new), tenant))
    return 200, {"from": _shown(old), "to": _shown(new), "edits": edits}


async def publish(control: Control, ask: Ask) -> Answer:
    """Makes this the policy, if nobody has changed the one that was seen."""
    wanted = ask.read(NewPolicy)
    seen = expected(ask)
    if seen is None and not wanted.dry_run:
        raise MustSay("send if-match with the etag of the policy that you have changed: GET it first")
    if wanted.policy.files:
        raise BadRequest("policy.files: files are read where they are; send the rules that they hold")
    return await change(control, ask, wanted.policy, wanted.reason, seen, dry_run=wanted.dry_run)


async def rollback(control: Control, ask: Ask) -> Answer:
    """Makes an older version's rules the newest version."""
    wanted = ask.read(Rollback)
    old = await _numbered(control, str(wanted.version))
    reason = f"back to version {old.number}: {wanted.reason}" if wanted.reason else ""
    return await change(control, ask, _rules(old), reason, expected(ask), dry_run=wanted.dry_run)


async def change(
    control: Control, ask: Ask, rules: PolicyRules, reason: str, seen: int | None, *, dry_run: bool
) -> Answer:
    """Raises Forbidden, BadRequest, Changed."""
    if not ask.all_tenants:
        raise Forbidden("the policy is one for all tenants: only an operator of the whole stack changes it")
    if found := problems(rules):
        raise BadRequest(f"the policy has {len(found)} problem(s): {'; '.join(found)}", data=found)
    await _refuse_lockout(ask, rules)
    latest = await _latest(control)
    edits = difference(_rules(latest), rules)
    warnings = [finding for finding in lint(rules) if finding.problem]
    told: dict[str, Any] = {"edits": edits, "findings": warnings}
    if seen not in (None, latest.number):
        raise _overtaken(seen, latest)
    if dry_run:
        return 200, _shown(latest) | told | {"etag": quoted(latest.number)}
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise BadRequest(f"reason: say why, in up to {LONGEST_REASON} characters; it is kept for good")
    try:
        made = await control.change_policy(
            rules, after=latest.number, by=ask.caller.actor, reason=reason.strip()
        )
    except Superseded as error:
        raise _overtaken(latest.number, await _latest(control)) from error
    _note(ask, latest, made)
    return 200, _shown(made) | told | {"etag": quoted(made.number)}


async def _refuse_lockout(ask: Ask, rules: PolicyRules) -> None:
    """Whoever changes the policy can change it back: else nobody might be left who can."""
    draft = await asyncio.to_thread(Policy.compile, rules, 0)
    decision = draft.decide_chain(ask.caller, "admin:policy", "manage")
    if not decision.allowed:
        raise BadRequest(f"you could not change this policy back ({decision.why}): keep admin:policy allowed")


def _note(ask: Ask, old: PolicyVersion, new: PolicyVersion) -> None:
    """What the ledger keeps of a change, sealed with everything else."""
    ask.entry.findings += (f"policy:{old.number}->{new.number}",)
    ask.entry.detail = new.reason
    ask.entry.digest = sha256(new.rules).hexdigest()


def _overtaken(seen: int | None, latest: PolicyVersion) -> Changed:
    return Changed(
        f"the policy has been changed meanwhile: you saw version {seen}, version {latest.number} is of"
        f" {latest.author} ({latest.reason}). Read it, and make your change again"
    )


async def _latest(control: Control) -> PolicyVersion:
    found = await control.store.latest_policy()
    if found is None:
        raise NotFound("no policy has been published yet: is the edge still starting?")
    return found


async def _numbered(control: Control, text: str) -> PolicyVersion:
    if not text.isdecimal() or len(text) > 18:
        raise BadRequest(f"{text[:40]!r} is no version: use a number that `gatestack policy history` shows")
    found = await control.store.policy(int(text))
    if found is None:
        raise NotFound(f"there is no version {text}: `gatestack policy history` shows those there are")
    return found


def _rules(version: PolicyVersion) -> PolicyRules:
    return msgspec.json.decode(version.rules, type=PolicyRules)


def _shown(version: PolicyVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "epoch": version.version,
        "author": version.author,
        "reason": version.reason,
        "at": version.at,
    }


PAGES = (
    Page(method="GET", path="/policy", area="policy", action="read", call=current),
    Page(
        method="PUT",
        path="/policy",
        area="policy",
        action="manage",
        call=publish,
        body=NewPolicy,
        conditional=True,
    ),
    Page(
        method="GET",
        path="/policy/versions",
        area="policy",
        action="read",
        call=history,
        lists=Listed(member="versions", key=("version",), filters=("author",)),
    ),
    Page(method="GET", path="/policy/versions/{number}", area="policy", action="read", call=version),
    Page(method="GET", path="/policy/diff", area="policy", action="read", call=diff, query=("from", "to")),
    Page(
        method="POST",
        path="/policy/rollback",
        area="policy",
        action="manage",
        call=rollback,
        body=Rollback,
        conditional=True,
    ),
)
