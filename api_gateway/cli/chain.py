"""`gatestack chain`: one chain as a tree, who called whom for whom, and what each call cost."""

from collections.abc import Sequence
from typing import Any, Literal

from cyclopts import App

from api_gateway.cli.remote import Remote, named
from api_gateway.cli.show import Output, lines, money, table, when
from api_gateway.cli.transcripts import with_content
from shared.approvals import visible

_HERE = Remote()


def register(parent: App) -> None:
    parent.command(chain)
    parent.command(chains)


def chain(chain_id: str, *, content: bool = False, remote: Remote = _HERE) -> Output:
    """Show the chain CHAIN_ID (every answer carries it in x-gatestack-chain) as a tree.

    Parameters
    ----------
    content
        Show what was said too, where that was kept. Each reading is an entry of its own.
    """
    answer = remote.get(f"/chains/{named(chain_id)}")
    told = drawn(answer["entries"], answer["flags"])
    if content:
        told += with_content(answer["entries"], remote)
    return Output(answer, lines(*told), as_json=remote.json)


def chains(
    *,
    principal: str = "",
    agent: str = "",
    team: str = "",
    project: str = "",
    model: str = "",
    tool: str = "",
    outcome: str = "",
    decision: str = "",
    tenant: str = "",
    since: str = "1d",
    until: str = "",
    over_cost: str = "",
    order: Literal["cost", "time", "calls"] = "cost",
    limit: int = 50,
    remote: Remote = _HERE,
) -> Output:
    """List chains with what they did and cost.

    Parameters
    ----------
    principal
        Whom they belong to, like user:alice; globs are fine, here and below.
    agent
        Only those in which this agent acted; the same for model, tool, outcome and decision (deny).
    since
        How long back (30m, 12h, 7d, 4w), a month (2026-03, this-month, last-month) or an ISO date.
    over_cost
        Only those that cost at least so many dollars, like 0.50.
    order
        The costliest, the newest or the busiest first.
    """
    answer = remote.get(
        "/chains",
        principal=principal,
        agent=agent,
        team=team,
        project=project,
        model=model,
        tool=tool,
        outcome=outcome,
        decision=decision,
        tenant=tenant,
        since=since,
        until=until,
        over_cost=over_cost,
        order=order,
        limit=str(limit),
    )
    rows = [
        (one["chain"], when(one["started_at"]), one["tenant"], one["principal"], one["team"] or "-",
         one["calls"], one["refused"], one["unfinished"], one["tokens_in"], one["tokens_out"],
         money(one["cost_micros"]))
        for one in answer["chains"]
    ]  # fmt: skip
    headings = (
        "chain", "began", "tenant", "principal", "team", "calls", "refused", "unfinished", "tokens in",
        "tokens out", "cost",
    )  # fmt: skip
    return Output(answer, table(headings, rows, empty="no such chain"), as_json=remote.json)


def drawn(entries: list[dict[str, Any]], odd: Sequence[dict[str, Any]] = ()) -> list[str]:
    """The lines of the tree, and below it what is odd. An entry whose parent is unknown stands at the top."""
    known = {entry["id"] for entry in entries}
    below: dict[str, list[dict[str, Any]]] = {}
    for entry in sorted(entries, key=lambda entry: (entry["started_at"], entry["hop"])):
        below.setdefault(entry["parent"] if entry["parent"] in known else "", []).append(entry)
    total = sum(entry["cost_micros"] for entry in entries)
    tokens = sum(entry["tokens_in"] + entry["tokens_out"] for entry in entries)
    head = f"chain {entries[0]['chain']}: {len(entries)} entries, {tokens} tokens, {money(total)}"
    return [head, *_branches("", below, ""), *(f"! {flag['kind']}: {flag['why']}" for flag in odd)]


def _branches(parent: str, below: dict[str, list[dict[str, Any]]], indent: str) -> list[str]:
    found = []
    children = below.get(parent, [])
    for place, entry in enumerate(children):
        last = place == len(children) - 1
        found.append(indent + ("└─ " if last else "├─ ") + _line(entry))
        found += _branches(entry["id"], below, indent + ("   " if last else "│  "))
    return found


def _line(entry: dict[str, Any]) -> str:
    parts = [
        f"{entry['service']:13}",
        # A line's end in a name must not draw another call.
        visible(f"{entry['actors'][-1] if entry['actors'] else '?'} {entry['action']} {entry['resource']}"),
        f"[{entry['decision'] or '-'}{' by ' + entry['rule'] if entry['rule'] else ''}]",
        entry["outcome"] + (f" ({entry['reason']})" if entry["reason"] else ""),
        f"{entry['duration_us'] / 1000:.1f} ms",
    ]
    if entry["tokens_in"] or entry["tokens_out"]:
        parts.append(f"{entry['tokens_in']}+{entry['tokens_out']} tokens {money(entry['cost_micros'])}")
        parts.append(entry["provider"])
    return "  ".join(parts)
