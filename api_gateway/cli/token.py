"""`gatestack token`: a short-lived token for trying things, and what a token says."""

import sys
from typing import Any

from cyclopts import App

from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines, when
from api_gateway.cli.usage import micros

_HERE = Remote()


def register(parent: App) -> None:
    parent.command(token)


def token(
    sub: str = "",
    *,
    tenant: str = "",
    via: tuple[str, ...] = (),
    audience: str = "",
    team: str = "",
    project: str = "",
    tier: str = "",
    scope: tuple[str, ...] = (),
    usd: float = 0,
    seconds: int = 60,
    decode: str = "",
    quiet: bool = False,
    remote: Remote = _HERE,
) -> Output:
    """Make a token that stands for SUB, for operators who try things; it is on record who made it.

    Parameters
    ----------
    sub
        user:alice, agent:planner, service:billing.
    via
        The agents that act for them, in order; may be given more than once. Makes a delegation token, which
        is used like a key at the edge.
    audience
        llm_gateway, mcp_gateway or agent_gateway. Makes an identity token, which goes straight to that
        gateway in the header Txn-Token.
    scope
        Narrow it to these resources (`model:*`, `tool:git/*`); may be given more than once.
    usd
        The most that its chain may cost, in dollars.
    seconds
        How long it is valid: up to 3600 for a delegation, 120 for an identity token.
    decode
        Make none, but show the claims of this token (- reads it from standard input) and whether it is
        believed. Exit code 1 when it is not.
    quiet
        Print the token alone, for $(…).
    """
    if decode:
        return _decoded(remote, decode)
    if not sub:
        raise CommandFailed("say whom it stands for, like user:alice, or show one with --decode", 2)
    if bool(via) == bool(audience):
        raise CommandFailed("say either --via agent:planner (a delegation) or --audience llm_gateway", 2)
    body = {
        "sub": sub,
        "tenant": tenant,
        "kind": "delegation" if via else "identity",
        "via": via,
        "audience": audience,
        "team": team,
        "project": project,
        "tier": tier,
        "scope": scope,
        "budget": {"micros": micros(usd)} if usd else {},
        "seconds": seconds,
    }
    made = remote.post("/tokens", body)
    if quiet:
        return Output(made, lines(made["token"]), as_json=remote.json)
    use = "authorization: Bearer <token>" if via else "txn-token: <token>"
    told = [made["token"], "", f"valid until {when(made['expires_at'] * 1_000_000)}; send it as {use}"]
    return Output(made, lines(*told, *_claims(made["claims"])), as_json=remote.json)


def _decoded(remote: Remote, text: str) -> Output:
    if text == "-":
        text = sys.stdin.readline()
    answer = remote.post("/tokens/decode", {"token": text.strip()})
    signed = "signed by a key of its issuer" if answer["signed"] else "NOT vouched for by its issuer"
    told = [f"{answer['typ']}, {signed}", *(f"  not believed: {problem}" for problem in answer["problems"])]
    return Output(
        answer,
        lines(*told, *_claims(answer["claims"])),
        as_json=remote.json,
        code=0 if answer["valid"] else 1,
    )


def _claims(claims: dict[str, Any]) -> list[str]:
    width = max((len(name) for name in claims), default=0)
    times = ("iat", "exp", "nbf")
    return [
        f"  {name:{width}}  {value}"
        + (f" ({when(value * 1_000_000)})" if name in times and type(value) is int else "")
        for name, value in claims.items()
        if value not in ("", [], {})
    ]
