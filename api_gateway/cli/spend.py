"""`gatestack spend`: what it cost, by whatever one wants to know it by."""

from cyclopts import App

from api_gateway.cli.remote import Remote
from api_gateway.cli.show import Output, money, table

_HERE = Remote()


def register(parent: App) -> None:
    parent.command(spend)


def spend(
    *,
    by: str = "team",
    model: str = "",
    team: str = "",
    principal: str = "",
    tenant: str = "",
    since: str = "30d",
    until: str = "",
    remote: Remote = _HERE,
) -> Output:
    """Show calls, tokens and money from the ledger.

    Parameters ---------- by Dimensions, with commas: team, principal, agent, model, provider, tenant,
    project, key, tool, service, day. model Only models that match this glob, like 'claude*'. since How long
    back (30m, 12h, 7d, 4w) or an ISO date.
    """
    answer = remote.get(
        "/spend", by=by, model=model, team=team, principal=principal, tenant=tenant, since=since, until=until
    )
    rows = [
        (*(line["group"].get(name, "") or "-" for name in answer["by"]), line["calls"], line["tokens_in"],
         line["tokens_out"], money(line["cost_micros"]))
        for line in answer["lines"]
    ]  # fmt: skip
    headings = (*answer["by"], "calls", "tokens in", "tokens out", "cost")
    return Output(answer, table(headings, rows, empty="nothing was spent"), as_json=remote.json)
