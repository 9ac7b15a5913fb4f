"""`python -m demo`: starts everything, asks one question, shows what came of it, and keeps serving.

DEMO_ONCE=1 ends it after the answer: 0 when everything that should be seen was there, 1 otherwise.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from demo import question, trees
from demo.processes import DemoFailed, Processes, step
from demo.settings import CONFIG, Settings, settings

_SETTLE_SECONDS = 30.0


async def main() -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    chosen = settings(os.environ)
    try:
        async with Processes(chosen.state / "demo.log") as running:
            return await _show(chosen, running)
    except DemoFailed as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        print("\nstopped", flush=True)
        return 0


async def _show(chosen: Settings, running: Processes) -> int:
    print("Starting:", flush=True)
    chosen = await _start(chosen, running)
    with step("making a key for user:alice of the team support"):
        key = (
            await _gatestack(chosen, "keys", "create", "user:alice", "--tenant", "acme", "--team", "support")
        )["secret"]
    print(f"\nQuestion: {question.QUESTION}", flush=True)
    answered = await question.ask(chosen.url, key)
    print(f"Answer:   {answered.text}\n", flush=True)
    problems = await _check(chosen, answered.chain)
    print(await _command(chosen, "chain", answered.chain))
    for problem in problems:
        print(f"NOT AS EXPECTED: {problem}", flush=True)
    if not problems:
        print("The spans that OpenTelemetry wrote give exactly this tree.", flush=True)
    if os.environ.get("DEMO_ONCE"):
        return 1 if problems else 0
    _invite(chosen, key, answered.chain)
    await asyncio.Event().wait()
    return 0


async def _start(chosen: Settings, running: Processes) -> Settings:
    model = (
        "SmolLM2 135M, on this machine"
        if chosen.provider == "local"
        else f"{chosen.provider}, SmolLM2 behind it"
    )
    listens = " listens on "
    with step(f"the model ({model})"):
        line = await running.start("the model", ["demo.model"], chosen.environ, until=listens)
        chosen = chosen.with_addresses(model=line.split()[-1])
    with step("two agents, planner and researcher"):
        for name in ("planner", "researcher"):
            line = await running.start(name, [f"demo.{name}"], chosen.environ, until=listens)
            chosen = chosen.with_addresses(**{name: line.split()[-1]})
    with step("the four services, an embedded Valkey and SQLite, two MCP servers"):
        command = ["api_gateway.cli", "up", "--config", str(CONFIG)]
        await running.start("gatestack up", command, chosen.environ, until="gatestack: ready")
    return chosen


async def _check(chosen: Settings, chain: str) -> list[str]:
    """Waits until ledger and spans have settled, and says what is not as it should be."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
    while True:
        entries = await _entries(chosen, chain)
        ledger = trees.ledger_tree(entries)
        spans = trees.span_tree(trees.spans_of(chosen.state / "spans.jsonl", chain))
        if (ledger and ledger == spans) or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.5)
    problems = trees.missing(entries)
    if ledger != spans:
        apart = len(set(ledger.items()) ^ set(spans.items()))
        problems.append(
            f"the ledger has {len(ledger)} entries and there are {len(spans)} spans; {apart} differ"
        )
    return problems


async def _entries(chosen: Settings, chain: str) -> list[Any]:
    with contextlib.suppress(DemoFailed):
        found: list[Any] = (await _gatestack(chosen, "chain", chain))["entries"]
        return found
    return []


async def _gatestack(chosen: Settings, *words: str) -> Any:
    return json.loads(await _command(chosen, *words, "--json"))


async def _command(chosen: Settings, *words: str) -> str:
    """What `gatestack …` prints. Raises DemoFailed."""
    where = ("--url", chosen.url, "--key-file", str(_operator_key(chosen)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api_gateway.cli", *words, *where),
        env=chosen.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode != 0:
        raise DemoFailed(f"gatestack {' '.join(words)}: {errors.decode().strip()}")
    return output.decode().rstrip()


def _operator_key(chosen: Settings) -> Path:
    return chosen.state / "operator.key"


def _invite(chosen: Settings, key: str, chain: str) -> None:
    print(
        f"""
The stack keeps serving at {chosen.url} until you press Ctrl-C. Try it:

  curl {chosen.url}/v1/chat/completions -H "Authorization: Bearer {key}" \\
    -H "content-type: application/json" \\
    -d '{{"model": "demo", "max_tokens": 40, "messages": [{{"role": "user", "content": "Say hello"}}]}}'

  .venv/bin/gatestack spend --by team --url {chosen.url} --key-file {os.path.relpath(_operator_key(chosen))}
  .venv/bin/gatestack chain {chain} --url {chosen.url} --key-file {os.path.relpath(_operator_key(chosen))}
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
