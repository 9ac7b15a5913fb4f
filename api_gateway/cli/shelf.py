"""What `gatestack catalog servers` and `… skills` have in common: versions that were published, how they are
found, shown, judged and kept.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from cyclopts import App
from msgspec import Struct

from api_gateway.cli.published import send
from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines, table
from shared.approvals import visible

_HERE = Remote()
Found = dict[str, Any]


class Shelf(Struct, frozen=True, kw_only=True):
    """`row` is one version in a list under `headings`, `described` all there is to say of it, in lines."""

    kind: Literal["servers", "skills"]
    headings: Sequence[str]
    row: Callable[[Found], Sequence[str]]
    described: Callable[[Found], list[str]]

    def commands(self, app: App) -> None:
        """Adds `list`, `show`, `state` and `kept` to the commands of `app`."""
        app.command(self.listing, name="list")
        for command in (self.show, self.state, self.kept):
            app.command(command)

    def found(self, remote: Remote, query: dict[str, str]) -> Output:
        """A list of what the registry finds."""
        found = remote.registry_pages(f"/{self.kind}", query)
        none = f"there is no {self.kind.removesuffix('s')} that you may know of" + (
            " and that fits" if "search" in query else ""
        )
        return Output(
            found, table(self.headings, [self.row(one) for one in found], empty=none), as_json=remote.json
        )

    def listing(self, *, all_versions: bool = False, remote: Remote = _HERE) -> Output:
        """List those that you may use or know of.

        Parameters
        ----------
        all_versions
            Not only the latest of each.
        """
        return self.found(remote, {} if all_versions else {"version": "latest"})

    def show(self, name: str, *, version: str = "latest", remote: Remote = _HERE) -> Output:
        """Show one version, with all that is known of it."""
        path = f"/{self.kind}/{quote(name, safe='')}/versions/{quote(version, safe='')}"
        found = remote.registry(path)
        return Output(found, lines(*self.described(found)), as_json=remote.json)

    def state(
        self, name: str, version: str, to: str, *, reason: str = "", etag: str = "", remote: Remote = _HERE
    ) -> Output:
        """Say that a VERSION that was published or imported is active, deprecated or deleted.

        Parameters
        ----------
        reason
            Why; kept in the ledger, and shown to whoever looks for it.
        etag
            That of the version that you have looked at: of another one nothing is changed. What is in
            quarantine does not leave it without.
        """
        if not reason.strip():
            raise CommandFailed("say why with --reason; it is kept for good", 2)
        body = {"name": name, "version": version, "state": to}
        made = send(remote, f"/catalog/{self.kind}/state", body, reason, etag)
        return Output(made, lines(f"{name} {version} is {made['state']}"), as_json=remote.json)

    def kept(
        self, *, state: str = "", name: str = "", content: bool = False, remote: Remote = _HERE
    ) -> Output:
        """List every version as it is kept, for operators: by whom, why, and what seems to be hidden in it.

        Parameters
        ----------
        state
            Only those that are active, deprecated, deleted, imported or quarantined.
        name
            Only these; * is any text.
        content
            With what they say, hidden characters written out.
        """
        found = remote.get(f"/catalog/{self.kind}", state=state, name=name)[self.kind]
        told = [line for entry in found for line in _told(entry, content)]
        none = table((), (), empty="nothing of that is kept")
        return Output(found, lines(*told) if told else none, as_json=remote.json)


def _told(entry: dict[str, Any], content: bool) -> list[str]:
    text = [f"{entry['name']}  {entry['version']}  {entry['state']}  {entry['owner'] or '-'}"]
    text.append(f"  etag {entry['etag']}")
    text.append(f"  last changed by {entry['by'] or '-'}: {entry['reason'] or '(no reason given)'}")
    text += [f"  from {entry['source']}"] if entry["source"] else []
    text += [f"  {finding}" for finding in entry["findings"]]
    if content:
        written = msgspec.json.format(msgspec.json.encode(entry["content"]), indent=2).decode()
        text += [f"    {line}" for line in written.split("\n")]
    # Whoever looks at what is hidden has to see it.
    return [visible(line, len(line)) for line in text]
