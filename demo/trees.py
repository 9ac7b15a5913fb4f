"""One chain seen twice: as the ledger's entries and as the spans that OpenTelemetry wrote. They must be
the same tree.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SERVICES = ("api_gateway", "llm_gateway", "mcp_gateway", "agent_gateway")
LEAST_ENTRIES, LEAST_DEPTH = 7, 2
# child -> parent; "" where it stands at the top
Tree = dict[str, str]


def ledger_tree(entries: Iterable[Mapping[str, Any]]) -> Tree:
    return {entry["id"]: entry["parent"] for entry in entries}


def span_tree(spans: Iterable[Mapping[str, Any]]) -> Tree:
    """The same out of spans: an entry's parent is the entry of the span that its span names as its parent."""
    found = list(spans)
    entry_of = {_id(span["context"]["span_id"]): span["attributes"]["gatestack.entry"] for span in found}
    return {
        span["attributes"]["gatestack.entry"]: entry_of.get(_id(span.get("parent_id") or ""), "")
        for span in found
    }


def spans_of(path: Path, chain: str) -> list[dict[str, Any]]:
    """The spans of one chain in a file of JSON lines."""
    lines = path.read_text().splitlines() if path.exists() else []
    spans = (json.loads(line) for line in lines if line.endswith("}"))
    return [span for span in spans if span.get("attributes", {}).get("gatestack.chain") == chain]


def missing(entries: list[Mapping[str, Any]]) -> list[str]:
    """What this chain does not show although the demo is there to show it."""
    found = []
    if len(entries) < LEAST_ENTRIES:
        found.append(f"the chain has {len(entries)} entries, at least {LEAST_ENTRIES} were expected")
    silent = set(SERVICES) - {entry["service"] for entry in entries}
    found += [f"nothing in the chain went through {service}" for service in sorted(silent)]
    depth = max((len(entry["actors"]) - 1 for entry in entries), default=0)
    if depth < LEAST_DEPTH:
        found.append(f"the chain is {depth} agents deep, at least {LEAST_DEPTH} were expected")
    found += [
        f"{entry['service']} {entry['action']} {entry['resource']}: {entry['outcome']} ({entry['reason']})"
        for entry in entries
        if entry["outcome"] != "completed"
    ]
    return found


def _id(span: str) -> str:
    return span.removeprefix("0x")
