"""A real Valkey for every test, and what asks over it."""

from tests.shared.approvals.asking import desk
from tests.support.valkey import redis, valkey

__all__ = ["desk", "redis", "valkey"]
