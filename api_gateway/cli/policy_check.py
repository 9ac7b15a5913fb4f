"""`gatestack policy check` and `simulate`: a policy that nobody lives with yet, tried."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.show import Output, lines, when
from api_gateway.cli.usage import AsJson, File
from shared.config import ConfigProblems, load_policy
from shared.policy import Policy, PolicyDocument, PolicyProblems
from shared.policy.lint import Finding, lint
from shared.policy.trial import Failure, tried

_HERE = Remote()
_WRONG = 2
_PATIENCE = 600.0
_CHANGES = {
    "refused": "would be refused",
    "allowed": "would be allowed",
    "approval": "would need a person's consent",
    "open": "cannot be told",
}


def register(parent: App) -> None:
    parent.command(check)
    parent.command(simulate)


def check(
    path: str = "gatestack.yaml",
    *,
    tests: Annotated[str, Parameter(name=("--tests", "-t"))] = "",
    strict: bool = False,
    as_json: AsJson = False,
) -> Output:
    """Check the policy in the file at PATH: every problem at once, then its own tests. No service needs to
    run. Exit code 2 when something is wrong.

    Parameters
    ----------
    path
        A whole configuration, or a file with the policy alone.
    tests
        Another file with more `tests`.
    strict
        Warnings are wrong too.
    """
    try:
        document = read_policy(Path(path))
        more = read_policy(Path(tests)).tests if tests else []
    except CommandFailed as error:
        told = {"ok": False, "findings": [], "tests": 0, "failures": [], "problems": str(error).split("\n")}
        return Output(told, lines(str(error)), as_json=as_json, code=_WRONG)
    findings, examples = lint(document), [*document.tests, *more]
    failures = _failures(document, examples, findings)
    bad = [finding for finding in findings if strict or finding.level == "error"]
    ok = not bad and not failures
    value = {
        "ok": ok,
        "findings": msgspec.to_builtins(findings),
        "tests": len(examples),
        "failures": msgspec.to_builtins(failures),
        "problems": [],
    }
    told_lines = [f"{path}: {'ok' if ok else 'not right'}", *map(_finding, findings)]
    told_lines += [line for failure in failures for line in _failure(failure)]
    told_lines.append(f"{len(examples) - len(failures)} of {len(examples)} tests came out as expected")
    return Output(value, lines(*told_lines), as_json=as_json, code=0 if ok else _WRONG)


def simulate(
    *,
    file: File,
    since: str = "7d",
    until: str = "0s",
    tenant: str = "",
    limit: int = 100_000,
    remote: Remote = _HERE,
) -> Output:
    """Hold a draft of the policy against the calls that the ledger remembers: what would change?

    Parameters
    ----------
    file
        The draft: a whole configuration, or a file with the policy alone.
    since
        How long back (30m, 12h, 7d, 4w), a month (2026-03, this-month, last-month) or an ISO date.
    limit
        Look at this many decisions at most, the newest first.
    """
    body = {
        "policy": plain(read_policy(file)),
        "since": since,
        "until": until,
        "tenant": tenant,
        "limit": limit,
    }
    answer = remote.post("/policy/simulate", body, seconds=_PATIENCE)
    return Output(answer, lines(*_simulated(answer)), as_json=remote.json)


def read_policy(path: Path) -> PolicyDocument:
    """The policy in a file. Raises CommandFailed with every problem."""
    try:
        return load_policy(path)
    except ConfigProblems as error:
        raise CommandFailed.told(str(error), error.problems) from error


def plain(document: PolicyDocument) -> dict[str, Any]:
    """What is published of it: all but its tests."""
    told: dict[str, Any] = msgspec.to_builtins(document)
    del told["tests"]
    return told


def _failures(document: PolicyDocument, examples: list[Any], findings: list[Finding]) -> list[Failure]:
    """None where the policy cannot be used at all: the findings say why."""
    try:
        return tried(Policy.compile(document, 0), examples)
    except PolicyProblems:
        return [] if findings else [Failure(place="", asked="", expected="", got="", why="it cannot be used")]


def _finding(finding: Finding) -> str:
    place = f"{finding.place}: " if finding.place else ""
    return f"  {finding.level:7} {place}{finding.problem}"


def _failure(failure: Failure) -> list[str]:
    return [
        f"  failed  {failure.place}: {failure.asked}",
        f"          expected {failure.expected}, got {failure.got}: {failure.why}",
    ]


def _simulated(answer: dict[str, Any]) -> list[str]:
    head = f"{answer['changed']} of {answer['calls']} calls would fare otherwise"
    if not answer["complete"]:
        head += " (there are older ones in this period: raise --limit to look at them)"
    return [head, *(line for shift in answer["shifts"] for line in _shift(shift))]


def _shift(shift: dict[str, Any]) -> list[str]:
    reads = f" without {', '.join(shift['reads'])}, which the ledger does not keep" if shift["reads"] else ""
    who = ", ".join(shift["principals"])
    return [
        f"  {shift['count']:>7}  {_CHANGES[shift['change']]}{reads}: {shift['actor']} {shift['action']}"
        f" {shift['resource']} in {shift['tenant']}",
        f"           was {shift['before'] or 'decided by no rule'}; {shift['why']}",
        f"           for {who}; last {when(shift['last_at'])}; chains {', '.join(shift['examples'])}",
    ]
