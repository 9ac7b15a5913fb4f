"""`gatestack catalog tools`: tools that are held back until somebody has looked at their definition."""

from typing import Any

from cyclopts import App

from api_gateway.cli.remote import Remote
from api_gateway.cli.show import Output, lines, table
from shared.approvals import visible

_HERE = Remote()
app = App(name="tools", help="Tools in quarantine: what has changed in them, and whether that is all right.")


def register(parent: App) -> None:
    parent.command(app)


@app.command(name="list")
def listing(*, server: str = "", state: str = "waiting", remote: Remote = _HERE) -> Output:
    """List tools in quarantine with what has changed.

    Parameters
    ----------
    state
        waiting, rejected, pinned (with --server), or all.
    """
    found = remote.get("/tools", server=server, state=state)
    return Output(found, lines(*told(found)) if found["tools"] else _NONE, as_json=remote.json)


@app.command
def approve(server: str, tool: str, digest: str, *, remote: Remote = _HERE) -> Output:
    """Trust the definition of TOOL with this DIGEST from now on."""
    made = remote.post("/tools/approve", {"server": server, "tool": tool, "digest": digest})
    return Output(made, lines(f"{server}/{tool}: {made['digest']} is approved"), as_json=remote.json)


@app.command
def reject(server: str, tool: str, digest: str, *, reason: str = "", remote: Remote = _HERE) -> Output:
    """Keep the definition of TOOL with this DIGEST out of sight; another one would wait again."""
    body = {"server": server, "tool": tool, "digest": digest, "reason": reason}
    made = remote.post("/tools/reject", body)
    return Output(made, lines(f"{server}/{tool}: {digest} is rejected"), as_json=remote.json)


@app.command
def unpin(server: str, tool: str, *, remote: Remote = _HERE) -> Output:
    """Forget what was pinned of TOOL: the next definition that is seen counts as the first."""
    made = remote.post("/tools/unpin", {"server": server, "tool": tool})
    return Output(made, lines(f"{server}/{tool} is looked at anew"), as_json=remote.json)


def told(found: dict[str, Any]) -> list[str]:
    """The tools in lines, what has changed below those that are held."""
    text = []
    for tool in found["tools"]:
        # A server chooses its tools' names.
        text.append(f"{tool['server']}/{visible(tool['tool'])}  {tool['state']}  {tool['digest']}")
        text += [f"  {visible(finding)}" for finding in tool.get("findings", ())]
        text += [f"    {line}" for line in tool.get("difference", ())]
    return text


_NONE = table((), (), empty="no tool is held back")
