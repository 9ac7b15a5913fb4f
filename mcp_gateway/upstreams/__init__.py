"""The ways to reach an MCP server: one file a transport behind one Protocol, and what opens them by their
configuration.
"""

from collections.abc import Callable
from pathlib import Path

from mcp_gateway.config import Http, Sse, Transport
from mcp_gateway.credentials.consents import Consents
from mcp_gateway.credentials.credential import Credential
from mcp_gateway.transports import Agents, OpenApi, Skills
from mcp_gateway.upstreams.agents import AgentsUpstream
from mcp_gateway.upstreams.consenting import Consenting
from mcp_gateway.upstreams.http import HttpUpstream
from mcp_gateway.upstreams.openapi.upstream import OpenApiUpstream
from mcp_gateway.upstreams.skills import Library, SkillsUpstream
from mcp_gateway.upstreams.sse import SseUpstream
from mcp_gateway.upstreams.stdio import StdioUpstream
from mcp_gateway.upstreams.upstream import Upstream
from shared.agent_list import AgentList
from shared.clock import Clock
from shared.http_client import HttpClient


def open_upstream(
    name: str,
    transport: Transport,
    *,
    http: HttpClient,
    credential: Credential,
    consents: Consents | None,
    clock: Clock,
    base: Path,
    result_cap: int,
    changed: Callable[[str, str], None],
    agents: AgentList,
    library: Library,
) -> Upstream:
    """`base` is where relative paths start; `changed` is told when a server says that its lists have
    changed. `agents` and `library` (of skills) are for servers of those types, `consents` for one that users
    connect to.
    """
    if isinstance(transport, Http):
        opened: HttpUpstream | SseUpstream
        if isinstance(transport, Sse):
            opened = SseUpstream(
                name, transport, http, credential=credential, result_cap=result_cap, changed=changed
            )
        else:
            opened = HttpUpstream(
                name, transport, http, credential=credential, result_cap=result_cap, changed=changed
            )
        return Consenting(opened, consents) if consents is not None and name in consents.places else opened
    if isinstance(transport, OpenApi):
        return OpenApiUpstream(name, transport, http, base, result_cap=result_cap)
    if isinstance(transport, Agents):
        agents.changed.append(lambda: changed(name, ""))
        return AgentsUpstream(name, transport, http, agents, result_cap=result_cap)
    if isinstance(transport, Skills):
        return SkillsUpstream(name, library)
    return StdioUpstream(name, transport, base, clock, result_cap=result_cap, changed=changed)
