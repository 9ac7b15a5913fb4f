"""`gatestack spend`: what it cost, by whatever one wants to know it by, and how the month is going to end."""

import csv
import io
import json
import sys
from typing import Any, Literal

from cyclopts import App
from rich.console import Console

from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, money, table
from api_gateway.cli.spend_parquet import parquet

_HERE = Remote()
Format = Literal["table", "csv", "jsonl", "parquet"]
app = App(name="spend", help="Money, from the ledger.")
_AMOUNTS = ("calls", "tokens_in", "tokens_out", "cost_micros")
# What a spreadsheet would take for a formula; names of users and models come from callers.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def register(parent: App) -> None:
    parent.command(app)


@app.default
def spend(
    *,
    by: str = "team",
    model: str = "",
    provider: str = "",
    team: str = "",
    project: str = "",
    principal: str = "",
    agent: str = "",
    tool: str = "",
    server: str = "",
    service: str = "",
    key: str = "",
    tenant: str = "",
    since: str = "30d",
    until: str = "",
    compare: bool = False,
    focus: bool = False,
    format: Format = "table",
    remote: Remote = _HERE,
) -> Output:
    """Show calls, tokens and money from the ledger.

    Parameters
    ----------
    by
        Dimensions, with commas: team, principal, agent, model, provider, tenant, project, key, tool, server,
        service, hour, day, month.
    model
        Only models that match this glob, like 'claude*'; the same for the other dimensions.
    since
        How long back (30m, 12h, 7d, 4w), a month (2026-03, this-month, last-month) or an ISO date.
    compare
        Beside each line what it was in the period before.
    focus
        The columns of the FOCUS specification, a line for each day and combination (not as a table).
    format
        table, csv, jsonl (one JSON object a line) or parquet (into a file: `> spend.parquet`). Money for
        programs is in micro-dollars, with --focus in dollars.
    """
    if focus and format == "table" and not remote.json:
        raise CommandFailed("--focus is for programs: add --format csv, jsonl or parquet, or --json", 2)
    answer = remote.get(
        "/spend",
        by="" if focus else by,
        model=model,
        provider=provider,
        team=team,
        project=project,
        principal=principal,
        agent=agent,
        tool=tool,
        server=server,
        service=service,
        key=key,
        tenant=tenant,
        since=since,
        until=until,
        compare="true" if compare and not focus else "",
        shape="focus" if focus else "",
    )
    if format != "table":
        records = answer["records"] if focus else [_flat(line) for line in answer["lines"]]
        return Output(answer, _written(records, format), as_json=remote.json)
    return Output(answer, _table(answer, compare), as_json=remote.json)


@app.command
def forecast(
    *, by: str = "", budget: str = "", team: str = "", tenant: str = "", remote: Remote = _HERE
) -> Output:
    """Show how this calendar month (UTC) is going to end, and when a budget is used up.

    Parameters
    ----------
    by
        Dimensions, with commas; without any, everything together.
    budget
        Dollars, for each line.
    """
    answer = remote.get("/spend/forecast", by=by, budget=budget, team=team, tenant=tenant)
    rows = [
        (*(line["group"][name] or "-" for name in answer["by"]), money(line["spent_micros"]),
         money(line["expected_micros"]), f"{money(line['low_micros'])} – {money(line['high_micros'])}",
         "-" if line["share"] is None else f"{line['share']:.0%}", line["used_up"] or "-",
         line["learnt_days"])
        for line in answer["lines"]
    ]  # fmt: skip
    headings = (*answer["by"], "so far", "expected", "likely", "of budget", "used up", "days learnt from")
    return Output(answer, table(headings, rows, empty="nothing was spent"), as_json=remote.json)


def _table(answer: dict[str, Any], compare: bool) -> Any:
    rows = [
        (*(line["group"].get(name, "") or "-" for name in answer["by"]), line["calls"], line["tokens_in"],
         line["tokens_out"], money(line["cost_micros"]), *(_past(line) if compare else ()))
        for line in answer["lines"]
    ]  # fmt: skip
    headings = (*answer["by"], "calls", "tokens in", "tokens out", "cost")
    if compare:
        headings = (*headings, "before", "change")
    return table(headings, rows, empty="nothing was spent")


def _past(line: dict[str, Any]) -> tuple[str, str]:
    change = line["change"]
    return money(line["before"]["cost_micros"]), "new" if change is None else f"{change:+.1%}"


def _flat(line: dict[str, Any]) -> dict[str, Any]:
    flat = {**line["group"], **{name: line[name] for name in _AMOUNTS}}
    if "before" in line:
        flat |= {f"before_{name}": amount for name, amount in line["before"].items()}
        flat["change"] = line["change"]
    return flat


def _written(records: list[dict[str, Any]], format: Format) -> Any:
    """Prints records one a line, for programs; an empty csv has no header, since nobody knows its columns."""
    if format == "parquet":
        content = parquet(records)
        if sys.stdout.isatty():
            raise CommandFailed("Parquet is nothing for a terminal: send it to a file, `> spend.parquet`", 2)
        return lambda _: sys.stdout.buffer.write(content)

    def show(_: Console) -> None:
        if format == "jsonl":
            for record in records:
                print(json.dumps(record))
            return
        text = io.StringIO()
        if records:
            writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)
        print(text.getvalue(), end="")

    return show


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value
