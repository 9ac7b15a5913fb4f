"""What is due for another attempt is looked for often: tests do not wait for it."""

import pytest

from agent_gateway.push import deliver


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "_LOOK_SECONDS", 0.02)
