"""`gatestack policy show, publish, history, diff, rollback`: the policy's versions. None is ever lost."""

from pathlib import Path
from typing import Any

from cyclopts import App

from api_gateway.cli.policy_check import plain, read_policy
from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines, table, when
from api_gateway.cli.usage import File

_HERE = Remote()


def register(parent: App) -> None:
    for verb in (show, publish, history, diff, rollback):
        parent.command(verb)


def show(version: int = 0, *, remote: Remote = _HERE) -> Output:
    """Show the policy in force, or VERSION of it."""
    answer = remote.get(f"/policy/versions/{version}" if version else "/policy")
    policy = answer["policy"]
    told = [_head(answer), *(f"  {_line('rules', rule)}" for rule in policy["rules"])]
    for kind in ("roles", "groups", "approvals"):
        told += [f"  {_line(kind, item)}" for item in policy[kind]]
    return Output(answer, lines(*told), as_json=remote.json)


def publish(*, file: File, reason: str = "", dry_run: bool = False, remote: Remote = _HERE) -> Output:
    """Put the policy in a file in force everywhere, as a new version.

    Parameters
    ----------
    file
        A whole configuration, or a file with the policy alone. Its tests have to come out as expected first.
    reason
        Why; kept with the version for good.
    dry_run
        Only show what would change.
    """
    document = read_policy(file)
    seen = remote.get("/policy")["etag"]
    body = {"policy": plain(document), "reason": _reason(reason, dry_run), "dry_run": dry_run}
    if document.tests:
        _tested(remote.post("/policy/check", document), file)
    return _changed(remote.put("/policy", body, if_match=seen), dry_run, remote)


def history(*, remote: Remote = _HERE) -> Output:
    """List every version: when, by whom, and why."""
    answer = remote.get("/policy/versions")
    rows = [
        (one["version"], when(one["at"]), one["author"], one["reason"], one["epoch"])
        for one in answer["versions"]
    ]
    headings = ("version", "at", "author", "reason", "epoch")
    return Output(answer, table(headings, rows, empty="no policy was published yet"), as_json=remote.json)


def diff(old: int = 0, new: int = 0, *, remote: Remote = _HERE) -> Output:
    """Show what NEW says and OLD does not, and the other way round. Without them: the last change.

    Parameters
    ----------
    old
        A version's number, as `history` shows it.
    new
        Another one; without it the newest.
    """
    answer = remote.get("/policy/diff", **{"from": str(old or ""), "to": str(new or "")})
    head = f"version {answer['from']['version']} -> version {answer['to']['version']}"
    told = [head, *_edits(answer["edits"])]
    return Output(answer, lines(*told), as_json=remote.json)


def rollback(version: int, *, reason: str = "", dry_run: bool = False, remote: Remote = _HERE) -> Output:
    """Put the rules of VERSION in force again, as a new version.

    Parameters
    ----------
    reason
        Why; kept with the version for good.
    dry_run
        Only show what would change.
    """
    seen = remote.get("/policy")["etag"]
    body = {"version": version, "reason": _reason(reason, dry_run), "dry_run": dry_run}
    return _changed(remote.post("/policy/rollback", body, if_match=seen), dry_run, remote)


def _reason(reason: str, dry_run: bool) -> str:
    if not reason.strip() and not dry_run:
        raise CommandFailed("say why with --reason; it is kept with the version for good", 2)
    return reason


def _tested(checked: dict[str, Any], file: Path) -> None:
    if checked["failures"]:
        count, of = len(checked["failures"]), checked["tests"]
        raise CommandFailed(f"{count} of {of} tests of {file} fail: see `gatestack policy check {file}`", 2)


def _changed(answer: dict[str, Any], dry_run: bool, remote: Remote) -> Output:
    head = "would change" if dry_run else f"in force everywhere: {_head(answer)}"
    warnings = [
        f"  {finding['level']:7} {finding['place']}: {finding['problem']}" for finding in answer["findings"]
    ]
    return Output(answer, lines(head, *_edits(answer["edits"]), *warnings), as_json=remote.json)


def _edits(edits: list[dict[str, Any]]) -> list[str]:
    if not edits:
        return ["  nothing differs"]
    told = []
    for edit in edits:
        told += [f"  - {_line(edit['kind'], edit['before'])}"] if edit["before"] else []
        told += [f"  + {_line(edit['kind'], edit['after'])}"] if edit["after"] else []
    return told


def _line(kind: str, item: dict[str, str]) -> str:
    if kind == "roles":
        return f"{item['member']} has {item['role']} in {item['dom']}"
    if kind == "groups":
        return f"{item['resource']} is in {item['catalog']}"
    effect = item.get("eft", "approval")
    name = f"{item['id']}: " if item.get("id") else ""
    condition = f" if {item['cond']}" if item["cond"] else ""
    return f"{effect:8} {name}{item['sub']} in {item['dom']}: {item['act']} {item['obj']}{condition}"


def _head(answer: dict[str, Any]) -> str:
    return (
        f"version {answer['version']} of {when(answer['at'])} by {answer['author']}: {answer['reason']}"
        f" (epoch {answer['epoch']})"
    )
