"""`gatestack kill`: stop callers, agents, models, tools or everything, now and in flight."""

from typing import Any

from cyclopts import App

from api_gateway.cli.remote import CommandFailed, Remote, named
from api_gateway.cli.show import Output, lines, table, when

_HERE = Remote()
app = App(name="kill", help="The kill switch: new calls are refused and open ones cut, in all four services.")


def register(parent: App) -> None:
    parent.command(app)


@app.command
def add(*selector: str, reason: str = "", dry_run: bool = False, remote: Remote = _HERE) -> Output:
    """Stop what matches every part of SELECTOR.

    Parameters
    ----------
    selector
        One or more of tenant=, team=, project=, principal=, user=, agent=, key=, chain=, delegation=,
        model=, provider=, tool=, server=, skill= (globs), or all.
    reason
        Why; kept with the kill, told to those it stops, and shown in the list.
    dry_run
        Only show what is open now, at any service, and would be cut.
    """
    body = {"selector": _parsed(selector), "reason": reason, "dry_run": dry_run}
    answer = remote.post("/kills", body)
    if dry_run:
        return Output(answer, lines(*_would_cut(answer)), as_json=remote.json)
    told = f"kill {answer['id']}: {_written(answer['selector'])} is stopped, open calls are cut"
    return Output(answer, lines(told), as_json=remote.json)


@app.command(name="list")
def listing(*, remote: Remote = _HERE) -> Output:
    """List the kills in force."""
    found = remote.get("/kills")
    rows = [(k["id"], _written(k["selector"]), when(k["at"]), k["by"], k["reason"]) for k in found["kills"]]
    headings = ("id", "stops", "since", "by", "reason")
    return Output(found, table(headings, rows, empty="nothing is killed"), as_json=remote.json)


@app.command
def lift(kill: str, *, remote: Remote = _HERE) -> Output:
    """Lift a kill by its id."""
    answer = remote.delete(f"/kills/{named(kill)}")
    return Output(answer, lines(f"lifted {kill}"), as_json=remote.json)


def _parsed(parts: tuple[str, ...]) -> dict[str, str]:
    selector: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if part != "all" and not equals:
            raise CommandFailed(f"{part!r}: write it as dimension=value, like agent=planner, or all", 2)
        if equals and not value:
            raise CommandFailed(f"{part!r} names nobody: write {part}* for every {name}", 2)
        if name in selector:
            raise CommandFailed(f"{name}= stands twice, and all parts have to match: make two kills", 2)
        selector[name] = value or "*"
    if not selector:
        raise CommandFailed("say what to stop, like agent=planner or chain=<id>", 2)
    return selector


def _would_cut(answer: dict[str, Any]) -> list[str]:
    """How many calls, where, and which: each service that a request has come to counts it once."""
    calls: dict[str, int] = {name: count for name, count in sorted(answer["calls"].items()) if count}
    where = ", ".join(f"{count} at {name}" for name, count in calls.items())
    hits = answer["would_cut"]
    told = [f"would cut {sum(calls.values())} open call(s)" + (f": {where}" if where else "")]
    told += [
        f"  {hit['service']}  {' -> '.join(hit['actors'])}  {hit['resource']}  chain {hit['chain']}"
        for hit in hits
    ]
    if len(hits) < sum(calls.values()):
        told.append(f"  and {sum(calls.values()) - len(hits)} more")
    if answer["answered"] < answer["asked"]:
        told.append(f"{answer['asked'] - answer['answered']} of {answer['asked']} processes did not answer")
    return told


def _written(selector: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in selector.items())
