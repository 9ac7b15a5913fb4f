"""Where state is kept, as the configuration says it, with the passwords that are configured apart from the
addresses.
"""

from typing import Any
from urllib.parse import quote

from shared.config import Loaded, StateSection


def redis_address(state: StateSection) -> str:
    """Of a Redis that is not ours: `state.redis` names it."""
    return _with_password(state.redis, state.redis_password.reveal())


def sql_address(loaded: Loaded[Any]) -> str:
    """Of the database, be it the embedded one."""
    state = loaded.shared.state
    if state.sql == "embedded":
        return f"sqlite://{loaded.path(state.dir) / 'gatestack.db'}"
    return _with_password(state.sql, state.sql_password.reveal())


def _with_password(url: str, password: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not password or scheme == "unix":
        return url
    user, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{user}:{quote(password, safe='')}@{host if at else rest}"
