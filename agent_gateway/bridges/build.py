"""Builds what answers in the place of agents: the only place that knows which bridges there are."""

from agent_gateway.bridges import Bridging
from agent_gateway.bridges.chat import Chat
from agent_gateway.bridges.memory import Memory
from agent_gateway.bridges.records import Records
from agent_gateway.bridges.serve import Bridges
from agent_gateway.bridges.tools import Tools
from agent_gateway.bridges.work import Worker
from agent_gateway.config import Section
from shared.bridges import Bridge, ChatBridge, ToolsBridge
from shared.egress import Egress
from shared.parts import Parts


def bridges(section: Section, parts: Parts, egress: Egress) -> Bridges:
    """Over opened parts; nothing is spoken to yet."""
    edge, seconds = section.edge_url or section.public_url, section.task_seconds
    records = Records(parts.redis, seconds=seconds)
    kinds: dict[type[Bridge], Bridging] = {
        ChatBridge: Chat(parts.http, Memory(parts.redis, seconds=seconds), egress, edge=edge),
        ToolsBridge: Tools(parts.http, edge=edge),
    }
    return Bridges(Worker(kinds, records), records)
