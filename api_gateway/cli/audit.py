"""`gatestack audit`: is the ledger still what was written? Reads the database itself, no service needs to
run.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from api_gateway.app import store_url
from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.show import Output, lines
from api_gateway.config import Section, problems
from shared.config import ConfigProblems, load
from shared.ledger.audit import Report, verify
from shared.store import open_store

app = App(name="audit", help="The ledger's tamper evidence.")
AsJson = Annotated[bool, Parameter(name="--json", negative=())]


def register(parent: App) -> None:
    parent.command(app)


@app.command(name="verify")
def verify_ledger(*, config: str = "gatestack.yaml", as_json: AsJson = False) -> Output:
    """Check every writer's hash chain and every signed checkpoint; names the first bad row of each. Exit
    code 1 if any.

    Parameters
    ----------
    config
        The configuration file that says where the database is.
    """
    try:
        loaded = load(Path(config), "api_gateway", Section, problems)
    except ConfigProblems as error:
        raise CommandFailed("\n  ".join((str(error), *error.problems)), 2) from error
    report = asyncio.run(_verified(store_url(loaded)))
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


async def _verified(url: str) -> Report:
    store = open_store(url)
    try:
        return await verify(store)
    finally:
        await store.close()
