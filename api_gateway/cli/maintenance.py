"""`gatestack maintenance`: take routes out of service for a while, and back."""

from typing import Any

from cyclopts import App

from api_gateway.cli.remote import Remote
from api_gateway.cli.show import Output, lines

_HERE = Remote()
app = App(name="maintenance", help="Routes that answer 503 for a while, with a word on when to come back.")


def register(parent: App) -> None:
    parent.command(app)


@app.command
def on(*routes: str, message: str = "", retry_after: int = 60, remote: Remote = _HERE) -> Output:
    """Take ROUTES out of service, instead of those that were; without any, all of them.

    Parameters
    ----------
    routes
        Names of configured routes; llm, mcp and agents are the gateways.
    message
        What callers are told.
    retry_after
        When they are told to come back, in seconds.
    """
    wanted: dict[str, Any] = {"routes": list(routes) or ["*"], "retry_after_seconds": retry_after}
    if message:
        wanted["message"] = message
    return _told(remote.put("/maintenance", wanted), remote)


@app.command
def off(*, remote: Remote = _HERE) -> Output:
    """Put everything back into service that the configuration does not keep out of it."""
    return _told(remote.put("/maintenance", {}), remote)


@app.command
def show(*, remote: Remote = _HERE) -> Output:
    """Show what is out of service."""
    return _told(remote.get("/maintenance"), remote)


def _told(found: dict[str, Any], remote: Remote) -> Output:
    out = ", ".join("everything" if name == "*" else name for name in found["routes"])
    return Output(found, lines(f"out of service: {out or 'nothing'}"), as_json=remote.json)
