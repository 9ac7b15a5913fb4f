"""The running stack, as `status` tells of it: who is missing, behind, or has another clock."""

from typing import Any

from api_gateway.doctor.finding import Finding, worst
from shared.config.load import SERVICES

_SKEW_MS = 1000.0


def processes(status: dict[str, Any]) -> list[Finding]:
    """`status` is the answer of the admin API."""
    here = [one for one in status["replicas"] if not one["gone"]]
    running = {one["service"] for one in here}
    found = [
        Finding(level="error", check="services", what=f"no {name} runs", do=f"start it: python -m {name}")
        for name in SERVICES
        if name not in running
    ]
    for one in here:
        found += _one(one, f"{one['service']} at {one['host']} ({one['pid']})")
    for name, snapshot in status["snapshots"].items():
        if snapshot["behind"]:
            what = f"{snapshot['behind']} of {snapshot['replicas']} processes run an older version of {name}"
            do = "`gatestack status` says which; their logs say why they do not take the newest"
            found.append(Finding(level="error", check="services", what=what, do=do))
    found += _regions(status)
    if status["database"]:
        what, do = f"the edge says: {status['database']}", "look at the database and at state.sql"
        found.append(Finding(level="error", check="database", what=what, do=do))
    return worst(found, "services", f"{len(here)} processes run, and obey the same")


def _regions(status: dict[str, Any]) -> list[Finding]:
    """Those that obey us, and whom we obey."""
    found = []
    for one in status.get("regions", ()):
        says = list(one["problems"])
        if one["gone"]:
            says = [f"silent for {one['silent_seconds']:.0f} s: nobody knows what it obeys"]
        elif one["behind"]:
            says.append(f"it runs an older version of {', '.join(one['behind'])}")
        do = "look at the region; revoke its key when it is none any more"
        for text in says:
            found.append(
                Finding(level="error", check="regions", what=f"the region {one['name']}: {text}", do=do)
            )
    if (plane := status.get("plane")) and plane["trouble"]:
        what = f"the control plane at {plane['address']}: {plane['trouble']}"
        do = "what it said last is in force; look at it, at region.key and at the network"
        found.append(Finding(level="error", check="regions", what=what, do=do))
    return found


def _one(one: dict[str, Any], who: str) -> list[Finding]:
    found = [
        Finding(level="error", check="services", what=f"{who}: {text}", do="see what it says")
        for text in one["problems"]
    ]
    if abs(one["skew_ms"]) > _SKEW_MS:
        what = f"{who}: its clock is {one['skew_ms'] / 1000:+.1f} s off Redis's"
        found.append(
            Finding(level="error", check="clock", what=what, do="set it by NTP: tokens depend on it")
        )
    return found
