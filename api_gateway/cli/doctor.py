"""`gatestack doctor`: everything that is commonly wrong, looked at at once; each finding says what to do."""

import asyncio
from pathlib import Path

import msgspec
from cyclopts import App

from api_gateway.cli import config as configuration
from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines
from api_gateway.cli.usage import ConfigFile
from api_gateway.config import Section, problems
from api_gateway.doctor import examine
from api_gateway.doctor.finding import Case, Finding
from api_gateway.doctor.processes import processes
from shared.clock import Clock
from shared.config import ConfigProblems, load, load_plain

_HERE = Remote()
_SIGNS = {"ok": "ok     ", "warning": "warning", "error": "error  "}


def register(parent: App) -> None:
    parent.command(doctor)


def doctor(*, config: ConfigFile = "gatestack.yaml", remote: Remote = _HERE) -> Output:
    """Check configuration, state, Redis, database, keys, certificates, clocks, programs, upstreams and
    services.

    Exit code 1 where something is wrong.

    Parameters
    ----------
    config
        The configuration file of this machine.
    """
    found = [*_configured(config), *_examined(Path(config)), *_running(remote)]
    told = []
    for one in found:
        told.append(f"{_SIGNS[one.level]}  {one.check}: {one.what}")
        told += [f"         -> {one.do}"] if one.do and one.level != "ok" else []
    wrong = any(one.level == "error" for one in found)
    value = {"ok": not wrong, "findings": msgspec.to_builtins(found)}
    return Output(value, lines(*told), as_json=remote.json, code=int(wrong))


def _configured(path: str) -> list[Finding]:
    """What each service says of its own part."""
    said = configuration.check(path)
    if not said.code:
        return [Finding(level="ok", check="configuration", what=f"{path} is right for all four services")]
    do = "put it right; `gatestack config schema` says what may stand there"
    return [
        Finding(level="error", check="configuration", what=problem, do=do)
        for problem in said.value["problems"]
    ]


def _examined(path: Path) -> list[Finding]:
    try:
        loaded, whole = load(path, "api_gateway", Section, problems), load_plain(path)
    except ConfigProblems:
        # Said already; what hangs on it cannot be looked at.
        return []
    return asyncio.run(examine(Case(path=path, loaded=loaded, whole=whole, clock=Clock())))


def _running(remote: Remote) -> list[Finding]:
    try:
        return processes(remote.get("/status"))
    except CommandFailed as error:
        do = "start the edge, or name it with --url and --key-file"
        if error.answer is not None:
            do = "name a key with --key-file that policy allows `read` of admin:status"
        return [Finding(level="error", check="services", what=str(error), do=do)]
