"""What is open at this process's servers."""

import pytest

from shared.connection import Connection


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections that are not over."""
    opened: list[Connection] = []
    run = Connection.run

    async def counted(self: Connection) -> None:
        opened.append(self)
        try:
            await run(self)
        finally:
            opened.remove(self)

    monkeypatch.setattr(Connection, "run", counted)
    return opened
