"""The ways to reach an MCP server: one file a transport behind one Protocol, and what opens them by their
configuration.
"""

from collections.abc import Callable
from pathlib import Path

from mcp_gateway.config import Http, Transport
from mcp_gateway.upstreams.http import HttpUpstream
from mcp_gateway.upstreams.stdio import StdioUpstream
from mcp_gateway.upstreams.upstream import Upstream
from shared.clock import Clock
from shared.http_client import HttpClient


def open_upstream(
    name: str,
    transport: Transport,
    *,
    http: HttpClient,
    clock: Clock,
    base: Path,
    result_cap: int,
    changed: Callable[[str], None],
) -> Upstream:
    """`base` is where relative paths start; `changed` is told when a server says that its lists have
    changed.
    """
    if isinstance(transport, Http):
        return HttpUpstream(name, transport, http, result_cap=result_cap, changed=changed)
    return StdioUpstream(name, transport, base, clock, result_cap=result_cap, changed=changed)
