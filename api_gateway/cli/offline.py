"""The database itself, for commands that need no running edge."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from api_gateway.cli.remote import CommandFailed
from api_gateway.config import Section, problems
from shared.config import ConfigProblems, load
from shared.errors import Unavailable
from shared.state_address import sql_address
from shared.store import Store, open_store


@contextlib.asynccontextmanager
async def ledger(config: str) -> AsyncIterator[Store]:
    """The store that the configuration file names. Raises CommandFailed."""
    try:
        loaded = load(Path(config), "api_gateway", Section, problems)
    except ConfigProblems as error:
        raise CommandFailed.told(str(error), error.problems) from error
    store = open_store(sql_address(loaded))
    try:
        yield store
    except Unavailable as error:
        raise CommandFailed(f"{error.detail}: {error.__cause__}") from error
    finally:
        await store.close()
