"""`gatestack approvals`: the calls that wait for a person's word, and that word."""

import time
from typing import Any

from cyclopts import App

from api_gateway.cli.remote import CommandFailed, Remote, named
from api_gateway.cli.show import Output, lines, table

_HERE = Remote()
_LOOK_SECONDS = 1.0
app = App(name="approvals", help="Calls that wait for a person: look at them, approve or deny.")


def register(parent: App) -> None:
    parent.command(app)


@app.command(name="list")
def listing(
    *,
    state: str = "pending",
    principal: str = "",
    actor: str = "",
    resource: str = "",
    chain: str = "",
    tenant: str = "",
    limit: int = 50,
    cursor: str = "",
    remote: Remote = _HERE,
) -> Output:
    """List what waits, newest first.

    Parameters
    ----------
    state
        pending, approved, denied, used, withdrawn, void, expired, or all.
    principal
        Whose chain it is.
    actor
        Who is anywhere in that chain.
    cursor
        Where the page before ended.
    """
    found = remote.get(
        "/approvals",
        state=state,
        principal=principal,
        actor=actor,
        resource=resource,
        chain=chain,
        tenant=tenant,
        limit=str(limit),
        cursor=cursor,
    )
    rows = [
        (one["id"], one["state"], " -> ".join(one["actors"]), one["resource"], _left(one))
        for one in found["approvals"]
    ]
    headings = ("id", "state", "who", "wants", "left")
    return Output(found, table(headings, rows, empty="nothing waits for a person"), as_json=remote.json)


@app.command
def show(approval: str, *, remote: Remote = _HERE) -> Output:
    """Show what exactly APPROVAL would allow."""
    found = remote.get(f"/approvals/{named(approval)}")
    return Output(found, lines(*_told(found)), as_json=remote.json)


@app.command
def approve(
    approval: str, *, reason: str = "", digest: str = "", dry_run: bool = False, remote: Remote = _HERE
) -> Output:
    """Let the call that waits as APPROVAL go on, this once.

    Parameters
    ----------
    digest
        That of the arguments you looked at: others are not approved.
    dry_run
        Only say whether you could.
    """
    return _decide(approval, "approve", "approved", reason, digest, dry_run, remote)


@app.command
def deny(
    approval: str, *, reason: str = "", digest: str = "", dry_run: bool = False, remote: Remote = _HERE
) -> Output:
    """Refuse the call that waits as APPROVAL.

    Parameters
    ----------
    reason
        Why; whoever calls is told.
    digest
        That of the arguments you looked at: others are not decided on.
    dry_run
        Only say whether you could.
    """
    return _decide(approval, "deny", "denied", reason, digest, dry_run, remote)


@app.command
def wait(approval: str = "", *, seconds: float = 300, remote: Remote = _HERE) -> Output:
    """Wait until APPROVAL is decided, or without one, until any call waits for a person.

    Exit code 0 when it was approved or something waits, 1 otherwise.
    """
    until = time.monotonic() + seconds
    while (found := _waited(remote, approval)) is None:
        if time.monotonic() >= until:
            raise CommandFailed(f"nothing within {seconds:g} s")
        # A command is alone in its process: nothing else could go on meanwhile.
        time.sleep(_LOOK_SECONDS)
    good = found["state"] in ("pending", "approved", "used")
    return Output(found, lines(*_told(found)), as_json=remote.json, code=0 if good else 1)


def _waited(remote: Remote, approval: str) -> dict[str, Any] | None:
    if approval:
        found: dict[str, Any] = remote.get(f"/approvals/{named(approval)}")
        return found if found["state"] != "pending" else None
    waiting = remote.get("/approvals", limit="1")["approvals"]
    return waiting[0] if waiting else None


def _decide(
    approval: str, verb: str, done: str, reason: str, digest: str, dry_run: bool, remote: Remote
) -> Output:
    body = {"reason": reason, "digest": digest, "dry_run": dry_run}
    made = remote.post(f"/approvals/{named(approval)}/{verb}", body)
    told = f"{approval} would be {done}" if dry_run else f"{approval} is {done}"
    what = f"  {' -> '.join(made['actors'])}  {made['resource']}  {made['preview']}"
    return Output(made, lines(told, what), as_json=remote.json)


def _left(one: dict[str, Any]) -> str:
    seconds = one["expires"] / 1_000_000 - time.time()
    return f"{seconds / 60:.0f} min" if one["state"] == "pending" and seconds > 0 else ""


def _told(one: dict[str, Any]) -> list[str]:
    text = [
        f"{one['id']}  {one['state']}",
        f"  who        {' -> '.join(one['actors'])}  (tenant {one['tenant']}, chain {one['chain']})",
        f"  wants      {one['action']} {one['resource']}  ({one['service']})",
        f"  arguments  {one['preview']}",
        f"  digest     {one['digest']}",
        f"  asked by   {one['rule']}  (policy {one['epoch']})",
    ]
    if one["decided_by"]:
        text.append(f"  decided    by {one['decided_by']}" + (f": {one['reason']}" if one["reason"] else ""))
    return text
