"""The gateway as a client, of the suite's own servers: what each revision demands, and the exceptions, each
with its reason.
"""

import asyncio
from pathlib import Path

import pytest

from tests.mcp_gateway.conformance.door import Asked, door
from tests.mcp_gateway.conformance.started import started
from tests.mcp_gateway.conformance.suite import every, needs_suite, required, run
from tests.mcp_gateway.conformance.visits import Visit, visit_of
from tests.mcp_gateway.conftest import Open

pytestmark = needs_suite

_AT_ONCE = 4
_VISIT_SECONDS = 30.0
_PATIENCE_MS = "200000"
_DOCUMENT = {
    "auth/basic-cimd:cimd-client-id-used": "The suite knows one address of such a document, and not ours."
}
# revision -> check -> why it cannot pass
EXCEPTIONS = {"2026-07-28": _DOCUMENT, "2025-11-25": _DOCUMENT}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("revision", EXCEPTIONS)
async def test_the_gateway_conforms(opened: Open, tmp_path: Path, revision: str) -> None:
    turns = asyncio.Semaphore(_AT_ONCE)
    async with opened({}) as gateway:

        async def visit(asked: Asked) -> None:
            drive = visit_of(asked.scenario)
            if drive is None:
                raise NotImplementedError("the gateway is not driven in this scenario")
            async with turns, started(gateway, tmp_path, asked) as one:
                async with asyncio.timeout(_VISIT_SECONDS):
                    await drive(Visit(one, revision, asked))

        async with door(visit, expected=every(revision, "client")) as command:
            found = await run(
                *("client", "--command", command, "--timeout", _PATIENCE_MS),
                revision=revision,
                output=tmp_path / "suite",
            )
    exceptions = EXCEPTIONS[revision]
    assert required(revision, "client") <= found.scenarios, found.said
    assert found.unexpected(exceptions) == {}
    assert found.healed(exceptions) == set(), "these pass: take them off the list"
