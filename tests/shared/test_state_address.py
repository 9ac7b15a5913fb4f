"""Where Redis and the database are, as one configures them."""

from pathlib import Path

import pytest
from msgspec import Struct

from shared.config import Loaded, Secret, Shared, StateSection
from shared.state_address import redis_address, sql_address


class Nothing(Struct):
    pass


@pytest.mark.parametrize(
    ("url", "password", "whole"),
    [
        ("redis://db:6379/1", "", "redis://db:6379/1"),
        ("redis://db:6379/1", "p@ss/word", "redis://:p%40ss%2Fword@db:6379/1"),
        ("rediss://app@db", "secret", "rediss://app:secret@db"),
        ("unix:///run/redis.sock", "secret", "unix:///run/redis.sock"),
    ],
)
def test_a_password_is_put_into_the_address_that_needs_it(url: str, password: str, whole: str) -> None:
    assert redis_address(StateSection(redis=url, redis_password=Secret(password))) == whole


def test_the_embedded_database_is_a_file_below_the_state_directory(tmp_path: Path) -> None:
    def address(state: StateSection) -> str:
        return sql_address(Loaded(Shared(state=state), Nothing(), tmp_path))

    assert address(StateSection(dir="state")) == f"sqlite://{tmp_path / 'state' / 'gatestack.db'}"
    elsewhere = StateSection(sql="postgresql://app@db/gs", sql_password=Secret("x"))
    assert address(elsewhere) == "postgresql://app:x@db/gs"
