"""`gatestack keys`: make, rotate, list and revoke virtual keys; and a service's own signing key."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from api_gateway.cli.remote import CommandFailed, Remote, named
from api_gateway.cli.show import Output, lines, table, when
from api_gateway.cli.usage import AsJson, micros
from shared.identity.principal import ChainBudget
from shared.identity.signing import Signer

_HERE = Remote()
Quiet = Annotated[bool, Parameter(help="Print the secret alone, for $(…).")]
_SPAN = re.compile(r"(\d{1,7})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
app = App(name="keys", help="Virtual keys: who may call, and how much.")
# It needs much that no other of these commands does.
app.command("api_gateway.cli.operator_key:operator", help="Make another operator's key for a lost one.")


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
    limit: tuple[str, ...] = (),
    quiet: Quiet = False,
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
        Narrow it to these resources (`model:*`, `tool:git/*`); may be given more than once.
    expires_in
        Seconds until it expires; 0 for never.
    usd
        The most that one chain started with this key may cost, in dollars.
    tokens
        The most tokens that one chain started with this key may use.
    limit
        What the key may use in all: requests/minute=600, tokens/day=2000000, micros/month=5000000 (dollars in
        millionths), concurrency=10; may be given more than once.
    """
    budget = ChainBudget(micros=micros(usd) or None, tokens=tokens or None)
    body = {
        "sub": sub,
        "tenant": tenant,
        "team": team,
        "project": project,
        "tier": tier,
        "scope": scope,
        "budget": budget,
        "limits": limit,
        "expires_in": expires_in,
        "name": name,
    }
    made = remote.post("/keys", body)
    told = f"key {made['id']} for {made['sub']} in {made['tenant']}"
    return Output(made, lines(*_once(made["secret"], told, quiet)), as_json=remote.json)


@app.command(name="list")
def listing(*, tenant: str = "", remote: Remote = _HERE) -> Output:
    """List keys, never their secrets."""
    found = remote.get("/keys", tenant=tenant)
    rows = [
        (k["id"], k["sub"], k["tenant"], k["team"], k["name"], _state(k), when(k["created_at"]), _used(k))
        for k in found["keys"]
    ]
    headings = ("id", "principal", "tenant", "team", "name", "state", "made", "last used")
    return Output(found, table(headings, rows, empty="no keys"), as_json=remote.json)


@app.command
def rotate(key: str, *, overlap: str = "24h", quiet: Quiet = False, remote: Remote = _HERE) -> Output:
    """Give a key a new secret, shown this once; the key keeps its id, limits and history.

    Parameters
    ----------
    key
        The key's id.
    overlap
        How long its secret until now stays good: 90s, 30m, 24h, 7d; 0s for not at all.
    """
    made = remote.post(f"/keys/{named(key)}/rotate", {"overlap": _seconds(overlap)})
    told = f"key {key} has this new secret; the one until now is good until {when(made['old_until'])}"
    return Output(made, lines(*_once(made["secret"], told, quiet)), as_json=remote.json)


@app.command(name="rotate-signer")
def rotate_signer(
    service: Literal["api_gateway", "llm_gateway", "mcp_gateway", "agent_gateway"],
    *,
    keys_dir: Path = Path(".gatestack/keys"),
    as_json: AsJson = False,
) -> Output:
    """Give a service a new signing key, on its own machine. Processes that run take it up by themselves: they
    publish it within half a minute, and sign with it ten minutes later.

    Parameters
    ----------
    service
        Whose tokens it is to sign.
    keys_dir
        Where its keys are: `identity.keys_dir` of its configuration.
    """
    if not any(keys_dir.glob(f"{service}.*.pem")):
        raise CommandFailed(f"{keys_dir} has no key of {service}: is that its identity.keys_dir?")
    kid = Signer.load_or_create(keys_dir, service).rotate()
    return Output({"kid": kid}, lines(f"{service} has a new key {kid}"), as_json=as_json)


@app.command
def revoke(key: str, *, remote: Remote = _HERE) -> Output:
    """Revoke a key by its id: from now on every service refuses it."""
    answer = remote.delete(f"/keys/{named(key)}")
    return Output(answer, lines(f"revoked {key}"), as_json=remote.json)


def _once(secret: str, told: str, quiet: bool) -> list[str]:
    return [secret] if quiet else [secret, "", f"{told}. Keep it: it is not shown again."]


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"]:
        return f"until {when(key['expires_at'])}"
    return "active"


def _used(key: dict[str, Any]) -> str:
    return when(key["used_at"]) if key["used_at"] else "never"


def _seconds(text: str) -> int:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise CommandFailed(f"{text!r} is no span of time: write 90s, 30m, 24h or 7d", 2)
    return int(match[1]) * _UNITS[match[2]]
