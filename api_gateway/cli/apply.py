"""`gatestack export, diff, apply`: the stack's objects as files. What is planned is shown before it is done,
and done only to what it was planned on.
"""

import contextlib
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from api_gateway.cli.remote import CommandFailed, Remote
from api_gateway.cli.secrets_file import SecretsFile
from api_gateway.cli.show import Output, file, lines
from api_gateway.cli.usage import File
from api_gateway.declared import SHAPES
from api_gateway.declared.files import Declared, FileProblems, read, written
from api_gateway.declared.plan import Planned, batches, plan

_HERE = Remote()
# A batch of agents has their cards read, one after another.
_PATIENCE = 600.0
_SIGNS = {"make": "+", "change": "~", "remove": "-"}


def register(parent: App) -> None:
    for verb in (export, diff, apply):
        parent.command(verb)


def export(
    *, output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None, remote: Remote = _HERE
) -> Output:
    """Write what runs as files: policy, agents, servers, skills, service accounts, keys (never their
    secrets), kills.

    Parameters
    ----------
    output
        A folder, which gets a file for each kind. Without it everything is printed.
    """
    found = remote.get("/objects")["objects"]
    if output is None:
        return Output(found, file(written(found).rstrip("\n")), as_json=remote.json)
    output.mkdir(parents=True, exist_ok=True)
    told = []
    for kind in SHAPES:
        of_kind = [one for one in found if one["kind"] == kind]
        path = output / f"{kind}.yaml"
        if of_kind:
            path.write_text(written(of_kind))
            told.append(f"{path}: {len(of_kind)}")
        else:
            path.unlink(missing_ok=True)
    return Output(found, lines(*told), as_json=remote.json)


def diff(*, file: File, prune: bool = False, owner: str = "gatestack", remote: Remote = _HERE) -> Output:
    """Show what `apply` would do. Exit code 1 where the files say anything else than what runs.

    Parameters
    ----------
    file
        A file, or a folder of files.
    prune
        Also what would be removed.
    owner
        Whose files they are.
    """
    planned = _planned(_declared(file), prune, owner, remote)
    changes = any(one.action != "keep" for one in planned)
    return Output(_data(planned), lines(*told(planned)), as_json=remote.json, code=int(changes))


def apply(
    *,
    file: File,
    dry_run: bool = False,
    prune: bool = False,
    reason: str = "",
    author: str = "",
    owner: str = "gatestack",
    secrets: str = "",
    remote: Remote = _HERE,
) -> Output:
    """Make the stack as the files say.

    Parameters
    ----------
    file
        A file, or a folder of files.
    dry_run
        Only ask whether it could be done.
    prune
        Remove what was made from the owner's files before and does not stand in them any more.
    reason
        Why; kept for good.
    author
        Who has written it, if that is not whoever applies it.
    owner
        Whose files they are: what is made is marked with it.
    secrets
        A file for the secrets of new keys, readable by you only. Without it they are printed, once.
    """
    declared = _declared(file)
    if not (dry_run or reason.strip()):
        raise CommandFailed("say why with --reason; it is kept for good", 2)
    planned = _planned(declared, prune, owner, remote)
    if not remote.json:
        Output(None, lines(*told(planned)), as_json=False).show()
    body = {"reason": reason, "author": author, "owner": owner, "dry_run": dry_run}
    makes_keys = not dry_run and any((one.action, one.kind) == ("make", "key") for one in planned)
    with SecretsFile(secrets) if secrets and makes_keys else contextlib.nullcontext() as kept:
        results, failed = _sent(planned, body, remote, kept)
    answer = {"plan": _data(planned), "results": results, "failed": failed}
    return Output(
        answer, lines(*_done(results, failed, dry_run)), as_json=remote.json, code=int(bool(failed))
    )


def told(planned: list[Planned]) -> list[str]:
    """A plan in lines: what differs of each object, and a sum."""
    text = []
    for one in planned:
        if one.action != "keep":
            text.append(f"{_SIGNS[one.action]} {one.kind} {one.name}")
        text += [f"    {each['field']}: {each['before']} -> {each['after']}" for each in one.differences]
    count = [one.action for one in planned].count
    text.append(
        f"{count('make')} to make, {count('change')} to change, {count('remove')} to remove,"
        f" {count('keep')} unchanged"
    )
    return text


def _sent(
    planned: list[Planned], body: dict[str, Any], remote: Remote, kept: SecretsFile | None
) -> tuple[list[dict[str, Any]], str]:
    """What became of each change, and why it ended early; batches after a failed one are not sent."""
    results: list[dict[str, Any]] = []
    failed = ""
    for batch in batches(planned):
        if failed:
            results += [_result(one, "not tried") for one in batch]
            continue
        try:
            answer = remote.put(
                "/objects", body | {"changes": [one.change() for one in batch]}, seconds=_PATIENCE
            )
        except CommandFailed as error:
            failed = str(error)
            told_of = error.answer.get("results") if isinstance(error.answer, dict) else None
            results += told_of or [
                _result(one, "not known" if error.answer is None else "refused") for one in batch
            ]
            continue
        if kept is not None:
            kept.keep(answer["results"])
        results += answer["results"]
    return results, failed


def _result(one: Planned, did: str) -> dict[str, Any]:
    return {"kind": one.kind, "name": one.name, "did": did, "why": ""}


def _done(results: list[dict[str, Any]], failed: str, dry_run: bool) -> list[str]:
    text = [f"{one['kind']} {one['name']}: {one['secret']}" for one in results if "secret" in one]
    text += [f"{one['kind']} {one['name']}: {one['did']}: {one['why']}" for one in results if one["why"]]
    did = [one["did"] for one in results]
    sums = [f"{did.count(word)} {word}" for word in dict.fromkeys(did)]
    if dry_run and not failed:
        text.append("all of it could be done; nothing was")
    elif sums:
        text.append(f"done: {', '.join(sums)}")
    if failed:
        text.append(f"not all was done: {failed}")
    if "conflict" in did:
        text.append("somebody else was faster: look at `gatestack diff` and apply again")
    if "not known" in did:
        text.append("no answer came for some of it: apply again, which does only what is left")
    return text


def _declared(file: Path) -> list[Declared]:
    try:
        return read(file)
    except FileProblems as error:
        raise CommandFailed.told(f"{error}:", error.problems) from error


def _planned(declared: list[Declared], prune: bool, owner: str, remote: Remote) -> list[Planned]:
    return plan(declared, remote.get("/objects")["objects"], owner, prune=prune)


def _data(planned: list[Planned]) -> list[dict[str, Any]]:
    return [
        {"action": one.action, "kind": one.kind, "name": one.name, "differences": one.differences}
        for one in planned
        if one.action != "keep"
    ]
