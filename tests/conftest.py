"""Fixtures for every test, which tests share a worker, and how data is made up."""

import gc

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.support.postgres", "tests.support.valkey"]

# A machine that stands still for a second fails no test, and what fails once fails every time: the examples
# are the same in every run. Other ones are tried with `--hypothesis-profile search`.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")

# Each of these starts processes enough for two cores by itself: one worker runs them one after another.
HEAVY = ("tests/stack/", "tests/demo/", "tests/llm_gateway/test_local_model.py")


class OneFileOneWorker(LoadScopeScheduling):  # type: ignore[misc]
    """A file's tests share its fixtures, so they run in one worker; so do all of HEAVY."""

    def _split_scope(self, nodeid: str) -> str:
        return "heavy" if nodeid.startswith(HEAVY) else nodeid.partition("::")[0]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What thousands of tests are made of stays. Looked through again and again by the garbage collector, it
    had whatever runs in this process stand still for a second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneFileOneWorker:
    return OneFileOneWorker(config, log)
