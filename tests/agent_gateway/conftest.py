"""One Valkey for all gateways of a test process: to start one for each takes longer than most tests."""

import pytest

from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.agent_gateway import gateway


@pytest.fixture(autouse=True)
def one_valkey(valkey: EmbeddedValkey, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is empty when a test begins."""
    monkeypatch.setattr(gateway, "REDIS", valkey.url)
