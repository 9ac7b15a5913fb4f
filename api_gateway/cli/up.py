"""`gatestack up`: all four services and the embedded state on one machine, watched over and stopped
together.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path

from cyclopts import App

from api_gateway.cli.config import check
from api_gateway.cli.leftovers import Taken, alone, leftovers_gone
from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.usage import ConfigFile
from api_gateway.config import Section, problems
from api_gateway.operator_key import OPERATOR_KEY_FILE
from shared.config import ConfigProblems, Loaded, load
from shared.config.load import SERVICES
from shared.errors import GatestackError, UpstreamFault
from shared.http_client import HttpClient
from shared.run import CONFIG_EXIT
from shared.tls_trust import unverified
from shared.valkey import EmbeddedValkey

_STOP_SECONDS = 20.0
_BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0)
_STEADY_SECONDS = 30.0
# Of what a service says on its standard output.
_LONGEST_LINE = 2**24
_NO_RULES = (
    "the section policy has no rules: nobody may do anything, and no operator can change that while it runs. "
    "Write some, like those of examples/gatestack.yaml, and start again"
)
_READY_SECONDS, _GLANCE_SECONDS = 10.0, 0.05
# The edge stops first, so that nothing new comes in while the others finish.
_STOP_ORDER = ("api_gateway", "agent_gateway", "mcp_gateway", "llm_gateway")


def register(parent: App) -> None:
    parent.command(up)


def up(*, config: ConfigFile = "gatestack.yaml") -> int:
    """Start the four services and wait. Ctrl-C stops them. Exit code 2 where one of them cannot start, or
    where another `gatestack up` has the same state.dir.

    Parameters
    ----------
    config
        The configuration file.
    """
    _say(f"checking {config}")
    checked = check(config)
    if checked.code:
        checked.show()
        return CONFIG_EXIT
    try:
        loaded = load(Path(config), "api_gateway", Section, problems)
        with alone(loaded.path(loaded.shared.state.dir)):
            return asyncio.run(_run(Path(config), loaded))
    except ConfigProblems as error:
        raise CommandFailed.told(str(error), error.problems) from error
    except Taken as error:
        raise CommandFailed(_taken(config, loaded, error.pid), CONFIG_EXIT) from error
    except GatestackError as error:
        raise CommandFailed(f"the embedded state did not start: {error.detail}") from error


def _taken(config: str, loaded: Loaded[Section], pid: str) -> str:
    who = f"another `gatestack up` (process {pid})" if pid else "another `gatestack up`"
    where = loaded.path(loaded.shared.state.dir)
    return f"{who} runs with the state in {where}: stop that one, or give {config} a state.dir of its own"


async def _run(config: Path, loaded: Loaded[Section]) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        state_dir = loaded.path(loaded.shared.state.dir)
        if loaded.shared.state.redis == "embedded":
            valkey = EmbeddedValkey()
            await valkey.start(state_dir, fsync=loaded.shared.state.fsync)
            stack.push_async_callback(valkey.stop)
            watching = asyncio.create_task(valkey.watch())
            stack.callback(watching.cancel)
        inherited = await stack.enter_async_context(leftovers_gone(state_dir, stop, _STOP_SECONDS, _say))
        children = {service: Child(service, config, stop, inherited) for service in SERVICES}
        tasks = [asyncio.create_task(child.keep()) for child in children.values()]
        if await _all_listen(children, stop) and await _all_ready(children, stop):
            key, plane = state_dir / OPERATOR_KEY_FILE, loaded.shared.control.plane
            if not plane:
                await _written(key, stop)
            _say(f"ready. The edge is at {children['api_gateway'].url}")
            _say(f"it obeys the control plane at {plane}" if plane else _where(key, config))
            if not plane and not loaded.shared.policy.rules:
                _say(_NO_RULES)
        await stop.wait()
        lost = [service for service, child in children.items() if child.gave_up]
        _say(f"stopping: {', '.join(lost)} cannot start" if lost else "stopping")
        for service in _STOP_ORDER:
            await children[service].end()
        await asyncio.gather(*tasks)
    return CONFIG_EXIT if any(child.gave_up for child in children.values()) else 0


class Child:
    """One service in a process of its own; started again when it dies, with growing pauses. One that has
    never listened, since its configuration or its address is of no use, has said why and is given up.
    `inherited` are descriptors that it holds for as long as it lives.
    """

    def __init__(self, service: str, config: Path, stop: asyncio.Event, inherited: tuple[int, ...]) -> None:
        self._command = (sys.executable, "-m", service, "--config", str(config))
        self._service = service
        self._ready_line = re.compile(rf"{service} listens on (\S+)")
        self._stop = stop
        self._inherited = inherited
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""
        self.listening = asyncio.Event()
        self.gave_up = False

    async def keep(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            code = await self._once()
            if self._stop.is_set():
                return
            if code == CONFIG_EXIT and not self.listening.is_set():
                self.gave_up = True
                self._stop.set()
                return
            failures = 0 if time.monotonic() - began > _STEADY_SECONDS else failures + 1
            pause = _BACK_OFF[min(failures, len(_BACK_OFF) - 1)]
            _say(f"{self._service} ended with code {code}; starting it again in {pause} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)

    async def end(self) -> None:
        """Asks the process to stop, and ends it when it takes too long."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            _say(f"{self._service} does not stop: killed")
            process.kill()
            await process.wait()

    async def _once(self) -> int:
        environment = {**os.environ, "GATESTACK_SUPERVISED": "1"}
        # Its standard input is our pipe: should we be killed, it reads the end of it and stops by itself.
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=environment,
            start_new_session=True,
            pass_fds=self._inherited,
        )
        self._process = process
        assert process.stdout is not None
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            if told := self._ready_line.fullmatch(text):
                self.url = told[1]
                self.listening.set()
            print(text, flush=True)
        return await process.wait()


async def _all_listen(children: dict[str, Child], stop: asyncio.Event) -> bool:
    waiting = asyncio.gather(*(child.listening.wait() for child in children.values()))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        return False
    stopping.cancel()
    return True


async def _all_ready(children: dict[str, Child], stop: asyncio.Event) -> bool:
    """Waits until every service says that it may get traffic, and tells what it waits for."""
    http = HttpClient(tls=unverified())
    patience = asyncio.get_running_loop().time() + _READY_SECONDS
    try:
        for child in children.values():
            while (problems_now := await _problems(http, child)) and not stop.is_set():
                if asyncio.get_running_loop().time() > patience:
                    _say(f"still not ready: {problems_now}")
                    patience += _READY_SECONDS
                await asyncio.sleep(0.05)
    finally:
        await http.close()
    return not stop.is_set()


async def _written(key: Path, stop: asyncio.Event) -> None:
    """The edge takes calls before it has made the operator's key: whoever reads that we are ready wants
    both.
    """
    for _ in range(int(_READY_SECONDS / _GLANCE_SECONDS)):
        if stop.is_set() or await asyncio.to_thread(key.exists):
            return
        await asyncio.sleep(_GLANCE_SECONDS)


def _where(key: Path, config: Path) -> str:
    if key.exists():
        return f"the operator's key is in {key}"
    mend = f"`gatestack keys operator --config {config}` makes another"
    return f"the operator's key is not in {key}: if nobody has it any more, {mend}"


async def _problems(http: HttpClient, child: Child) -> str:
    try:
        async with await http.send("GET", f"{child.url}/readyz", header_timeout=5) as reply:
            body = await reply.read(65_536)
            return "" if reply.status == 200 else body.decode(errors="replace")
    except UpstreamFault as error:
        return f"{child.url}: {error.detail}"


def _say(text: str) -> None:
    print(f"gatestack: {text}", flush=True)
