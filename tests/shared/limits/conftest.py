"""A limiter over the test process's own Valkey."""

import pytest

from shared.clock import Clock
from shared.limits.limiter import Limiter
from shared.redis_client import Redis


@pytest.fixture
def limiter(redis: Redis) -> Limiter:
    return Limiter(redis, Clock())
