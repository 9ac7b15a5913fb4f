"""`gatestack audit`: is the ledger still what was written? Reads the database itself, or what was exported
from it; no service needs to run.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from api_gateway.cli import audit_export
from api_gateway.cli.offline import ledger
from api_gateway.cli.progress import Progress
from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.show import Output, lines
from api_gateway.cli.usage import AsJson, ConfigFile
from shared.errors import BadRequest
from shared.ledger import export
from shared.ledger.audit import Report, verify, verify_exported
from shared.ledger.exported import ExportedRow, read
from shared.ledger.row import opened

app = App(name="audit", help="The ledger's tamper evidence, and its way out.")
app.command(audit_export.export)
Files = Annotated[Sequence[Path], Parameter(consume_multiple=True)]


def register(parent: App) -> None:
    parent.command(app)


@app.command(name="verify")
def verify_ledger(
    *,
    rows: Files = (),
    jwks: Files = (),
    anchors: Files = (),
    position: Path | None = None,
    config: ConfigFile = "gatestack.yaml",
    as_json: AsJson = False,
) -> Output:
    """Check every writer's hash chain and every signed checkpoint; names the first bad row of each. Exit
    code 1 if any.

    Parameters
    ----------
    rows
        Files of exported rows to check instead of the database; nothing else is read then.
    jwks
        Files with the public keys to believe (`audit keys`, or a service's /.well-known/jwks.json) instead of
        those in the database. Exported rows need them.
    anchors
        Files of rows that were exported earlier: their checkpoints show whether the database's end was cut
        off since.
    position
        With --rows, the file in which their export kept where it ended: shows whether their end was cut off.
    config
        The configuration file that says where the database is.
    """
    if rows and not jwks:
        raise CommandFailed(
            "exported rows do not say whom to believe: name the public keys with --jwks FILE", 2
        )
    if (rows and anchors) or (position and not rows):
        raise CommandFailed("--anchors is for the database, --position for exported --rows", 2)
    try:
        keys = [path.read_bytes() for path in jwks]
        if rows:
            known = None if position is None else export.load(position)
            report = verify_exported(_lines(rows), jwks=keys, position=known)
        else:
            report = asyncio.run(_verified(config, keys, _checkpoints(anchors)))
    except (OSError, ValueError, BadRequest) as error:
        raise CommandFailed(str(error), 2) from error
    return _told(report, as_json)


@app.command(name="keys")
def public_keys(*, config: ConfigFile = "gatestack.yaml") -> Output:
    """Print every public key that has signed checkpoints, as a JWK Set: for `verify --jwks`, to be
    kept elsewhere.

    Parameters
    ----------
    config
        The configuration file that says where the database is.
    """
    found = asyncio.run(_keys(config))
    if not found:
        raise CommandFailed("no checkpoint has been signed: each service signs one a minute after a call")
    return Output({"keys": found}, lines(), as_json=True)


async def _verified(config: str, jwks: list[bytes], anchors: list[str]) -> Report:
    progress = Progress()
    try:
        async with ledger(config) as store:
            return await verify(store, jwks=jwks, anchors=anchors, progress=progress)
    finally:
        progress.end()


async def _keys(config: str) -> list[object]:
    async with ledger(config) as store:
        return [msgspec.json.decode(key.jwk) for key in await store.signing_keys()]


def _lines(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            yield from file


def _checkpoints(paths: Sequence[Path]) -> list[str]:
    rows = (row for row in read(_lines(paths)) if isinstance(row, ExportedRow))
    found = (opened(bytes(row.row)).checkpoint for row in rows)
    return [token for token in found if token]


def _told(report: Report, as_json: bool) -> Output:
    told = [f"{report.rows} rows of {report.writers} writers, {report.checkpoints} signed checkpoints"]
    told += [
        f"  {finding.writer} row {finding.seq} ({finding.id}): {finding.problem}"
        for finding in report.findings
    ]
    told += [f"  (cannot be told) {note.writer} row {note.seq}: {note.problem}" for note in report.notes]
    told.append("the ledger has been changed" if report.findings else "nothing is missing or changed")
    return Output(
        msgspec.to_builtins(report), lines(*told), as_json=as_json, code=1 if report.findings else 0
    )
