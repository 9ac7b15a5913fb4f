"""What `python -m <service>` does: read the configuration, open the parts, serve, stop cleanly. The same for
all four.
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct
from starlette.applications import Starlette

from shared import server, tls
from shared.background import cancelled, owned
from shared.config import ConfigProblems, Loaded, Secret, Shared, load
from shared.errors import GatestackError
from shared.parts import Parts, open_parts
from shared.server import CannotListen, Clients, ServerName
from shared.tls import Listening

Section = TypeVar("Section", bound=Struct)
CONFIG_EXIT = 2


@asynccontextmanager
async def nothing_more(_: Loaded[Any], __: Parts, ___: Starlette) -> AsyncIterator[None]:
    """The extra life of a service that has none."""
    yield


def any_clients(_: Any) -> Clients:
    """What clients of a service may take whose section does not say."""
    return Clients()


def no_files(_: Loaded[Any]) -> list[str]:
    """The problems of the files of a service whose section names none."""
    return []


class Service(Struct, Generic[Section], frozen=True, kw_only=True):
    """What tells one service from another. `living` wraps serving: background work that only this service
    has. `file_problems` looks into the files that the section names.

    `section` must have the fields `bind`, `server` and `tls`.
    """

    name: str
    section: type[Section]
    problems: Callable[[Section], list[str]]
    file_problems: Callable[[Loaded[Any]], list[str]] = no_files
    build: Callable[[Loaded[Section], Parts], Starlette]
    living: Callable[[Loaded[Section], Parts, Starlette], AbstractAsyncContextManager[None]] = nothing_more
    clients: Callable[[Section], Clients] = any_clients


def main(service: Service[Any], argv: list[str] | None = None) -> int:
    """Exit code 0 after a clean stop, 1 when it could not run, 2 when the configuration is wrong, or the
    address in it cannot be had.
    """
    options = _options(service.name, argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    for chatty in ("casbin", "gatestack.server", "quic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if options.schema:
        print(json.dumps(schema(service.section)))
        return 0
    try:
        path = Path(options.config)
        loaded = load(path, service.name, service.section, service.problems)
        listening = _listening(service, loaded, path)
    except ConfigProblems as error:
        return _report(error, as_json=options.json)
    if options.check:
        return _report(None, as_json=options.json)
    try:
        return server.run(_serve(service, loaded, options.bind, listening))
    except CannotListen as error:
        mend = f"end what has it, or put {service.name}.bind right in {path}"
        print(f"{service.name}: {error}: {mend}", file=sys.stderr)
        return CONFIG_EXIT
    except (OSError, GatestackError) as error:
        told = (error.strerror if isinstance(error, OSError) else "") or error
        print(f"{service.name}: {told}", file=sys.stderr)
        return 1


def schema(section: type[Struct]) -> dict[str, Any]:
    """The JSON Schemas of the shared sections and of one service's own."""

    def secret(kind: type) -> dict[str, Any]:
        if kind is Secret:
            return {"type": "string", "description": "only as ${NAME} or ${file:path}"}
        raise NotImplementedError

    return {
        "shared": msgspec.json.schema(Shared, schema_hook=secret),
        "own": msgspec.json.schema(section, schema_hook=secret),
    }


def _listening(service: Service[Any], loaded: Loaded[Any], path: Path) -> Listening | None:
    """The TLS that a service is configured to listen with. Raises ConfigProblems for every file of its."""
    found = service.file_problems(loaded)
    wanted = tls.resolved(loaded.section.tls, loaded.path) if loaded.section.tls is not None else None
    if wanted is not None:
        found += tls.problems(wanted, loaded.section.server)
    if found:
        raise ConfigProblems(path, [f"{service.name}.{problem}" for problem in found])
    return Listening(wanted) if wanted is not None else None


async def _serve(
    service: Service[Any], loaded: Loaded[Any], bind: str | None, listening: Listening | None
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener = server.bind(bind or loaded.section.bind)
    url = server.url_of(listener, secure=listening is not None)
    async with open_parts(service.name, loaded) as parts:
        app = service.build(loaded, parts)
        async with service.living(loaded, parts, app):
            beside = [asyncio.create_task(_stop_when(parts.failed, stop))]
            if "GATESTACK_SUPERVISED" in os.environ:
                beside.append(asyncio.create_task(_stop_without_parent(stop)))
            if listening is not None:
                loop.add_signal_handler(signal.SIGHUP, listening.reload)
                beside.append(owned(listening.follow(), "certificates", parts.failed))

            def ready() -> None:
                print(f"{service.name} listens on {url}", flush=True)

            chosen: ServerName = loaded.section.server
            _settle_memory()
            await server.serve(
                app,
                listener,
                stop,
                server=chosen,
                ready=ready,
                tls=listening,
                end_open=parts.kill.stop,
                clients=service.clients(loaded.section),
            )
            for task in beside:
                await cancelled(task)
        return 1 if parts.failed.is_set() else 0


def _settle_memory() -> None:
    """What was built until now lives as long as the process: the collector need not look at it again and
    again. Requests leave nothing for it to find (`Flight` takes care of that), so it comes seldom; but often
    enough that it never has much to look at, since all open streams wait meanwhile: about 3 ms for 5,000
    objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 20)


async def _stop_when(event: asyncio.Event, stop: asyncio.Event) -> None:
    await event.wait()
    stop.set()


async def _stop_without_parent(stop: asyncio.Event) -> None:
    """A supervised service holds its supervisor's pipe as standard input: when that closes, nobody is left
    to stop us.
    """
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            closed.set()

    loop.add_reader(0, readable)
    await closed.wait()
    stop.set()


def _options(name: str, argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}", description=f"Runs {name}, one of Gatestack's services."
    )
    default = os.environ.get("GATESTACK_CONFIG", "gatestack.yaml")
    parser.add_argument("--config", default=default, help="the configuration file (%(default)s)")
    parser.add_argument("--bind", help="host:port to listen on, instead of the configured one (port 0: any)")
    parser.add_argument("--check", action="store_true", help="only check the configuration")
    parser.add_argument(
        "--schema", action="store_true", help="only print the JSON Schema of the configuration"
    )
    parser.add_argument("--json", action="store_true", help="problems as JSON")
    return parser.parse_args(argv)


def _report(error: ConfigProblems | None, *, as_json: bool) -> int:
    problems = error.problems if error else []
    if as_json:
        print(json.dumps({"ok": not problems, "problems": problems}))
    elif error is not None:
        lines = [f"{error.path}: {len(problems)} problem(s)", *(f"  {problem}" for problem in problems)]
        print("\n".join(lines), file=sys.stderr)
    return CONFIG_EXIT if error is not None else 0
