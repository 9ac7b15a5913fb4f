"""`gatestack transcripts`: what was said in a call, where an operator has that kept, and its erasure."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from cyclopts import App

from api_gateway.cli.remote import CommandFailed, Remote, named
from api_gateway.cli.show import Output, lines

_HERE = Remote()
app = App(name="transcripts", help="Prompts and replies that were kept. Reading one is an entry of its own.")


def register(parent: App) -> None:
    parent.command(app)


@app.command
def show(entry: str, *, tenant: str = "", remote: Remote = _HERE) -> Output:
    """Show what was said in the call ENTRY (every answer carries it in x-gatestack-call).

    Parameters
    ----------
    tenant
        Whose call it was; needed by operators of all tenants.
    """
    answer = remote.get(_path(entry), tenant=tenant)
    return Output(answer, lines(*told(answer)), as_json=remote.json)


@app.command
def erase(entry: str = "", *, principal: str = "", tenant: str = "", remote: Remote = _HERE) -> Output:
    """Erase what was kept of the call ENTRY, or of every chain that a principal has acted in.

    Parameters
    ----------
    principal
        Whose: user:alice, agent:planner.
    tenant
        The tenant it belongs to; needed by operators of all tenants.
    """
    if bool(entry) == bool(principal):
        raise CommandFailed("say either which call's, by its id, or --principal", 2)
    named = {"principal": principal, "tenant": tenant}
    query = urlencode({name: value for name, value in named.items() if value})
    path = _path(entry) if entry else "/transcripts"
    answer = remote.delete(f"{path}?{query}" if query else path)
    return Output(answer, lines(f"erased {answer['erased']}"), as_json=remote.json)


def with_content(entries: list[dict[str, Any]], remote: Remote) -> list[str]:
    """What was said in those of a chain's entries that were kept, as lines; put into them for programs."""
    found = []
    for entry in entries:
        if not entry["digest"] or entry["service"] != "llm_gateway":
            continue
        try:
            answer = remote.get(_path(entry["id"]), tenant=entry["tenant"])
        except CommandFailed as error:
            found += ["", f"{entry['id']}: {error}"]
            continue
        entry["transcript"] = answer
        found += ["", *told(answer)]
    return found


def told(answer: dict[str, Any]) -> list[str]:
    content, vouched = answer["content"], answer["vouched"]
    says = {
        True: "as the ledger has it",
        False: "NOT what the ledger vouches for",
        None: "not yet in the ledger",
    }
    head = f"{answer['entry']} ({says[vouched]}; redacted: {', '.join(content['redacted']) or 'nothing'})"
    found = [head]
    for message in content["request"]["messages"]:
        found += _said(message["role"], message["parts"])
    return found + _said("reply", content["reply"]["parts"])


def _said(who: str, parts: list[dict[str, Any]]) -> list[str]:
    return [f"  {who}: {line}" for part in parts for line in _words(part).splitlines() or [""]]


def _words(part: dict[str, Any]) -> str:
    if "text" in part:
        return str(part["text"])
    return msgspec.json.encode(part).decode()


def _path(entry: str) -> str:
    return f"/transcripts/{named(entry)}"
