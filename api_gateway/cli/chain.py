"""`gatestack chain`: one chain as a tree, who called whom for whom, and what each call cost."""

from typing import Any

from cyclopts import App

from api_gateway.cli.remote import Remote
from api_gateway.cli.show import Output, lines, money

_HERE = Remote()


def register(parent: App) -> None:
    parent.command(chain)


def chain(chain_id: str, *, remote: Remote = _HERE) -> Output:
    """Show the chain CHAIN_ID (every answer carries it in x-gatestack-chain) as a tree."""
    answer = remote.get(f"/chains/{chain_id}")
    return Output(answer, lines(*drawn(answer["entries"])), as_json=remote.json)


def drawn(entries: list[dict[str, Any]]) -> list[str]:
    """The lines of the tree. An entry whose parent is unknown stands at the top, marked as an orphan."""
    known = {entry["id"] for entry in entries}
    below: dict[str, list[dict[str, Any]]] = {}
    for entry in sorted(entries, key=lambda entry: (entry["started_at"], entry["hop"])):
        below.setdefault(entry["parent"] if entry["parent"] in known else "", []).append(entry)
    total = sum(entry["cost_micros"] for entry in entries)
    tokens = sum(entry["tokens_in"] + entry["tokens_out"] for entry in entries)
    head = f"chain {entries[0]['chain']}: {len(entries)} entries, {tokens} tokens, {money(total)}"
    return [head, *_branches("", below, "")]


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
        f"{entry['actors'][-1] if entry['actors'] else '?'} {entry['action']} {entry['resource']}",
        f"[{entry['decision'] or '-'}{' by ' + entry['rule'] if entry['rule'] else ''}]",
        entry["outcome"] + (f" ({entry['reason']})" if entry["reason"] else ""),
        f"{entry['duration_us'] / 1000:.1f} ms",
    ]
    if entry["tokens_in"] or entry["tokens_out"]:
        parts.append(f"{entry['tokens_in']}+{entry['tokens_out']} tokens {money(entry['cost_micros'])}")
        parts.append(entry["provider"])
    return "  ".join(parts)
