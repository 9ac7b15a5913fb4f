"""The gateway as a server, before a server of the same era and of the other one: what the suite demands of
each revision, and the exceptions, each with its reason.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.mcp_gateway.conformance.suite import needs_suite, required, run
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, http
from tests.support.mcp_everything import Era, everything_app
from tests.support.serve import serving

pytestmark = needs_suite

REVISIONS: dict[Era, str] = {"stateless": "2026-07-28", "session": "2025-11-25"}
# (revision, era of the server behind the gateway) -> check -> why it cannot pass
EXCEPTIONS: dict[tuple[str, Era], dict[str, str]] = {
    ("2026-07-28", "stateless"): {},
    ("2026-07-28", "session"): {
        "input-required-result-basic-elicitation:sep-2322-elicitation-incomplete": (
            "The question is expected under the name user_name; a request in a session has none."
        ),
        "input-required-result-ignore-extra-params:sep-2322-ignore-unexpected-params": (
            "Answers come with the first call, under that name, before the server has asked."
        ),
    },
    ("2025-11-25", "session"): {},
    ("2025-11-25", "stateless"): {},
}


@pytest.mark.parametrize("era", REVISIONS)
async def test_the_server_behind_the_gateway_conforms(tmp_path: Path, era: Era) -> None:
    async with serving(everything_app(era)) as url:
        await _conforms(f"{url}/mcp", REVISIONS[era], tmp_path, {})


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("revision", "era"), EXCEPTIONS)
async def test_the_gateway_conforms(opened: Open, tmp_path: Path, revision: str, era: Era) -> None:
    async with (
        serving(everything_app(era)) as upstream,
        opened({"everything": http(upstream)}) as gateway,
        serving(_known(gateway)) as url,
    ):
        endpoint = f"{url}/servers/everything/mcp"
        await _conforms(endpoint, revision, tmp_path, EXCEPTIONS[revision, era])


async def _conforms(url: str, revision: str, output: Path, exceptions: dict[str, str]) -> None:
    found = await run("server", "--url", url, revision=revision, output=output / "suite")
    assert required(revision, "server") <= found.scenarios, found.said
    assert found.unexpected(exceptions) == {}
    assert found.healed(exceptions) == set(), "these pass: take them off the list"


def _known(gateway: Gateway) -> Any:
    """The gateway's app with what the edge would add to a request: the suite has no credentials."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await gateway.service.app(scope, receive, send)
            return
        added = [(name.encode(), value.encode()) for name, value in gateway.identity().items()]
        await gateway.service.app(scope | {"headers": [*scope["headers"], *added]}, receive, send)

    return app
