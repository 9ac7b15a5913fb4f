"""Fixtures for every test, and which tests share a worker."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.support.postgres", "tests.support.valkey"]

# Each of these starts processes enough for two cores by itself: one worker runs them one after another.
HEAVY = ("tests/stack/", "tests/demo/", "tests/llm_gateway/test_local_model.py")


class OneFileOneWorker(LoadScopeScheduling):  # type: ignore[misc]
    """A file's tests share its fixtures, so they run in one worker; so do all of HEAVY."""

    def _split_scope(self, nodeid: str) -> str:
        return "heavy" if nodeid.startswith(HEAVY) else nodeid.partition("::")[0]


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneFileOneWorker:
    return OneFileOneWorker(config, log)
