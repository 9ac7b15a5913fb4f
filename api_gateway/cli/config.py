"""`gatestack config`: is this configuration right, and what may stand in it. Each service judges its own
part.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cyclopts import App

from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.show import Output, lines
from api_gateway.cli.usage import AsJson, ConfigFile
from shared.config.load import SERVICES
from shared.run import CONFIG_EXIT

app = App(name="config", help="The configuration file, gatestack.yaml.")


def register(parent: App) -> None:
    parent.command(app)


@app.command
def check(path: ConfigFile = "gatestack.yaml", *, as_json: AsJson = False) -> Output:
    """Check the file at PATH: every problem at once, with its place. Exit code 2 when there is one."""
    found: list[str] = []
    for answer in _ask_all("--check", "--config", path).values():
        found += [problem for problem in answer["problems"] if problem not in found]
    human = (
        lines(f"{path}: {len(found)} problem(s)", *(f"  {problem}" for problem in found))
        if found
        else lines(f"{path}: ok")
    )
    return Output(
        {"ok": not found, "problems": found}, human, as_json=as_json, code=CONFIG_EXIT if found else 0
    )


@app.command
def schema(*, as_json: AsJson = False) -> Output:
    """Print the JSON Schema of the whole file."""
    parts = _ask_all("--schema")
    for problem in [found for part in parts.values() for found in part.get("problems", ())]:
        raise CommandFailed(problem)
    shared = _within(parts[SERVICES[0]]["shared"], "shared")
    own = {service: _within(parts[service]["own"], service) for service in SERVICES}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gatestack.yaml",
        "type": "object",
        "properties": {
            **shared["$defs"]["Shared"]["properties"],
            **{s: {"$ref": own[s]["$ref"]} for s in SERVICES},
        },
        "additionalProperties": False,
        "$defs": {"shared": shared["$defs"], **{service: own[service]["$defs"] for service in SERVICES}},
    }
    return Output(whole, lines(json.dumps(whole, indent=2)), as_json=as_json)


def _ask_all(*arguments: str) -> dict[str, Any]:
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        return dict(zip(SERVICES, pool.map(lambda service: _ask(service, *arguments), SERVICES), strict=True))


def _ask(service: str, *arguments: str) -> Any:
    """What a service says of its own part; in a process of its own, since no service imports another."""
    command = [sys.executable, "-m", service, "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode not in (0, CONFIG_EXIT):
        return {"ok": False, "problems": [f"{service} could not say: {done.stderr.strip()[-400:]}"]}
    return json.loads(done.stdout)


def _within(schema: Any, part: str) -> Any:
    """`schema` with its references leading to definitions that are kept apart from equally named ones of
    other parts.
    """
    return json.loads(json.dumps(schema).replace('"#/$defs/', f'"#/$defs/{part}/'))
