"""`gatestack status`: does everybody obey the same, and how long did the last change take to get round?"""

from typing import Any

from cyclopts import App
from rich.console import Console

from api_gateway.cli.remote import Remote
from api_gateway.cli.show import Output, lines, table, when

_HERE = Remote()


def register(parent: App) -> None:
    parent.command(status)


def status(*, remote: Remote = _HERE) -> Output:
    """Which process of which service runs which epoch of keys, kills, policy, agents and catalog, and how far
    each region is.

    Exit code 1 while somebody is behind or not ready.
    """
    found = remote.get("/status")

    def human(console: Console) -> None:
        table(("snapshot", "epoch", "published", "processes", "behind", "took"), _snapshots(found), empty="")(
            console
        )
        console.print()
        headings = ("service", "host", "pid", "kill list", "clock", "behind in", "says")
        table(headings, [_replica(one, found) for one in found["replicas"]], empty="nobody")(console)
        if found["regions"]:
            console.print()
            of_regions = ("region", "processes", "behind in", "last change took", "says")
            table(of_regions, [_region(one) for one in found["regions"]], empty="")(console)
        if plane := found["plane"]:
            told = plane["trouble"] or f"answered {plane['silent_seconds']} s ago"
            lines(f"control plane {plane['address']}: {told}")(console)
        if found["database"]:
            lines(f"database: {found['database']}")(console)

    return Output(found, human, as_json=remote.json, code=0 if found["ok"] else 1)


def _snapshots(found: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            name,
            one["epoch"],
            when(one["epoch"] * 1000),
            one["replicas"],
            one["behind"],
            "" if one["ms"] is None else f"{one['ms']} ms",
        )
        for name, one in found["snapshots"].items()
    ]


def _region(one: dict[str, Any]) -> tuple[object, ...]:
    says = f"gone, {one['silent_seconds']} s silent" if one["gone"] else "; ".join(one["problems"])
    took = [f"{name} {run['ms']} ms" for name, run in sorted(one["runs"].items()) if run["ms"] is not None]
    processes = max((run["processes"] for run in one["runs"].values()), default=0)
    return one["name"], processes, ", ".join(one["behind"]) or "-", ", ".join(took), says or "ready"


def _replica(one: dict[str, Any], found: dict[str, Any]) -> tuple[object, ...]:
    newest = {name: each["epoch"] for name, each in found["snapshots"].items()}
    behind = [name for name, epoch in one["epochs"].items() if epoch < newest.get(name, 0)]
    says = f"gone, {one['silent_seconds']} s silent" if one["gone"] else "; ".join(one["problems"])
    kills = one["unconfirmed"].get("kills")
    age = "never seen" if kills is None else f"confirmed {kills:.1f} s ago"
    clock = f"{one['skew_ms']:+.1f} ms"
    return one["service"], one["host"], one["pid"], age, clock, ", ".join(behind) or "-", says or "ready"
