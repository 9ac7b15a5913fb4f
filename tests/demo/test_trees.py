"""Two views of one chain are compared as trees, and what a chain fails to show is said in words."""

import json
from pathlib import Path
from typing import Any

from demo.trees import ledger_tree, missing, span_tree, spans_of


def _span(entry: str, span: str, parent: str | None = None, chain: str = "c") -> dict[str, Any]:
    return {
        "context": {"span_id": f"0x{span}"},
        "parent_id": parent and f"0x{parent}",
        "attributes": {"gatestack.entry": entry, "gatestack.chain": chain},
    }


def _entry(entry: str, parent: str, **more: Any) -> dict[str, Any]:
    plain = {
        "service": "api_gateway",
        "action": "invoke",
        "resource": "route:x",
        "outcome": "completed",
        "reason": "",
    }
    return {"id": entry, "parent": parent, "actors": ["user:alice"], **plain, **more}


def test_the_same_chain_gives_the_same_tree_twice() -> None:
    entries = [_entry("root", ""), _entry("child", "root"), _entry("leaf", "child")]
    spans = [_span("leaf", "3", "2"), _span("root", "1"), _span("child", "2", "1")]
    assert ledger_tree(entries) == span_tree(spans)


def test_a_span_below_another_parent_or_one_too_few_is_noticed() -> None:
    entries = [_entry("root", ""), _entry("child", "root"), _entry("leaf", "child")]
    moved = [_span("root", "1"), _span("child", "2", "1"), _span("leaf", "3", "1")]
    assert ledger_tree(entries) != span_tree(moved)
    assert ledger_tree(entries) != span_tree(moved[:2])


def test_a_parent_that_is_nobodys_entry_is_none() -> None:
    assert span_tree([_span("root", "1", "f")]) == {"root": ""}


def test_only_the_spans_of_the_chain_are_read_and_a_half_written_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    assert spans_of(path, "c") == []
    lines = [json.dumps(_span("a", "1")), json.dumps(_span("b", "2", chain="other")), '{"context": {"spa']
    path.write_text("\n".join(lines))
    assert [span["attributes"]["gatestack.entry"] for span in spans_of(path, "c")] == ["a"]


def test_what_the_chain_does_not_show_is_named() -> None:
    problems = missing([_entry("root", ""), _entry("bad", "root", outcome="refused", reason="limit")])
    assert problems == [
        "the chain has 2 entries, at least 7 were expected",
        "nothing in the chain went through agent_gateway",
        "nothing in the chain went through llm_gateway",
        "nothing in the chain went through mcp_gateway",
        "the chain is 0 agents deep, at least 2 were expected",
        "api_gateway invoke route:x: refused (limit)",
    ]
