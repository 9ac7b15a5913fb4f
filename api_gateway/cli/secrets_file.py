"""The file that new keys' secrets go to: it is there before the first key is made, and only its owner reads
it.
"""

import os
from types import TracebackType
from typing import Any

from api_gateway.cli.remote import CommandFailed


class SecretsFile:
    """One line a key, `name: secret`. A file that is there already is not touched. Raises CommandFailed."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
        except OSError as error:
            raise CommandFailed(
                f"--secrets: {path} cannot be made ({error.strerror}): name a new file", 2
            ) from error

    def keep(self, results: list[dict[str, Any]]) -> None:
        """Takes the secrets out of the results and to the disk."""
        for one in results:
            if "secret" in one:
                self._file.write(f"{one['name']}: {one.pop('secret')}\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> "SecretsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        empty = self._file.tell() == 0
        self._file.close()
        if empty:
            os.unlink(self._path)
