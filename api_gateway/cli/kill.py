"""`gatestack kill`: stop callers, agents, models, tools or everything, now and in flight."""

from cyclopts import App

from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines, table

_HERE = Remote()
app = App(name="kill", help="The kill switch: new calls are refused and open ones cut, in all four services.")


def register(parent: App) -> None:
    parent.command(app)


@app.command
def add(*selector: str, reason: str = "", dry_run: bool = False, remote: Remote = _HERE) -> Output:
    """Stop what matches every part of SELECTOR.

    Parameters ---------- selector One or more of tenant=, user=, agent=, key=, chain=, model=, provider=,
    tool=, server=, skill= (globs), or all. reason Why; kept with the kill and shown in the list. dry_run
    Only show what is open now and would be cut.
    """
    body = {"selector": _parsed(selector), "reason": reason, "dry_run": dry_run}
    answer = remote.post("/kills", body)
    hits = answer["would_cut" if dry_run else "cut"]
    told = (
        f"would cut {len(hits)} open call(s)"
        if dry_run
        else f"kill {answer['id']}: cut {len(hits)} open call(s) at the edge"
    )
    rows = [f"  {' -> '.join(hit['actors'])}  {hit['resource']}  chain {hit['chain']}" for hit in hits]
    return Output(answer, lines(told, *rows), as_json=remote.json)


@app.command(name="list")
def listing(*, remote: Remote = _HERE) -> Output:
    """List the kills in force."""
    found = remote.get("/kills")
    rows = [(k["id"], _written(k["selector"]), k["reason"], k["by"]) for k in found["kills"]]
    return Output(
        found, table(("id", "stops", "reason", "by"), rows, empty="nothing is killed"), as_json=remote.json
    )


@app.command
def lift(kill: str, *, remote: Remote = _HERE) -> Output:
    """Lift a kill by its id."""
    answer = remote.delete(f"/kills/{kill}")
    return Output(answer, lines(f"lifted {kill}"), as_json=remote.json)


def _parsed(parts: tuple[str, ...]) -> dict[str, str]:
    selector: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if part != "all" and not equals:
            raise CommandFailed(f"{part!r}: write it as dimension=value, like agent=planner, or all", 2)
        selector[name] = value or "*"
    if not selector:
        raise CommandFailed("say what to stop, like agent=planner or chain=<id>", 2)
    return selector


def _written(selector: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in selector.items())
