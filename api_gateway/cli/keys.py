"""`gatestack keys`: make, list and revoke virtual keys."""

from datetime import UTC, datetime
from typing import Any

from cyclopts import App

from api_gateway.cli.remote import Remote
from api_gateway.cli.show import Output, lines, table
from shared.identity.principal import ChainBudget

_HERE = Remote()
app = App(name="keys", help="Virtual keys: who may call, and how much.")


def register(parent: App) -> None:
    parent.command(app)


@app.command
def create(
    sub: str,
    *,
    tenant: str = "",
    team: str = "",
    project: str = "",
    tier: str = "",
    scope: tuple[str, ...] = (),
    expires_in: int = 0,
    name: str = "",
    usd: float = 0,
    tokens: int = 0,
    remote: Remote = _HERE,
) -> Output:
    """Make a key. Its secret is shown this once.

    Parameters
    ----------
    sub
        Who the key stands for: user:alice, agent:planner, service:billing.
    tenant
        The tenant it belongs to.
    scope
        Narrow it to these resources (model:*, tool:git/*); may be given more than once.
    expires_in
        Seconds until it expires; 0 for never.
    usd
        The most that one chain started with this key may cost, in dollars.
    tokens
        The most tokens that one chain started with this key may use.
    """
    budget = ChainBudget(micros=round(usd * 1_000_000) if usd else None, tokens=tokens or None)
    body = {
        "sub": sub,
        "tenant": tenant,
        "team": team,
        "project": project,
        "tier": tier,
        "scope": scope,
        "budget": budget,
        "expires_in": expires_in,
        "name": name,
    }
    made = remote.post("/keys", body)
    human = lines(
        made["secret"],
        "",
        f"key {made['id']} for {made['sub']} in {made['tenant']}. Keep it: it is not shown again.",
    )
    return Output(made, human, as_json=remote.json)


@app.command(name="list")
def listing(*, tenant: str = "", remote: Remote = _HERE) -> Output:
    """List keys, never their secrets."""
    found = remote.get("/keys", tenant=tenant)
    rows = [
        (k["id"], k["sub"], k["tenant"], k["team"], k["name"], _state(k), _day(k["created_at"]))
        for k in found["keys"]
    ]
    headings = ("id", "principal", "tenant", "team", "name", "state", "made")
    return Output(found, table(headings, rows, empty="no keys"), as_json=remote.json)


@app.command
def revoke(key: str, *, remote: Remote = _HERE) -> Output:
    """Revoke a key by its id: from now on every service refuses it."""
    answer = remote.delete(f"/keys/{key}")
    return Output(answer, lines(f"revoked {key}"), as_json=remote.json)


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"]:
        return f"until {_day(key['expires_at'])}"
    return "active"


def _day(stamp_us: int) -> str:
    return datetime.fromtimestamp(stamp_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")
