"""Puts the pages of the admin API together."""

from api_gateway.admin import (
    AdminPages,
    agents,
    approvals,
    chains,
    keys,
    kills,
    maintenance,
    objects,
    openapi,
    policy,
    regions,
    servers,
    single,
    skills,
    spend,
    status,
    tokens,
    tools,
    transcripts,
)
from api_gateway.admin.agent_registry import AgentRegistry
from api_gateway.admin.imports import Imports
from api_gateway.config import Section
from api_gateway.control import Control
from api_gateway.declared.agent import Agents
from api_gateway.declared.key import Keys
from api_gateway.declared.kill import Kills
from api_gateway.declared.kind import Kind
from api_gateway.declared.policy import Policies
from api_gateway.declared.server import SERVERS
from api_gateway.declared.service_account import ServiceAccounts
from api_gateway.declared.skill import SKILLS
from api_gateway.maintenance import MaintenanceBoard
from api_gateway.regions.puller import Puller
from api_gateway.regions.roll import RegionRoll
from shared.config import Loaded
from shared.egress import Egress
from shared.parts import Parts
from shared.tool_pins import ToolPins
from shared.transcripts import Transcripts


def admin_pages(
    loaded: Loaded[Section],
    parts: Parts,
    control: Control,
    board: MaintenanceBoard,
    puller: Puller | None = None,
) -> AdminPages:
    section = loaded.section
    kept = transcripts.pages(Transcripts(parts.redis))
    chain = loaded.shared.chain
    made = tokens.pages(
        tokens.Tokens(parts.signer, parts.verifier, parts.clock, chain.budget, chain.max_depth)
    )
    egress = Egress(section.registry.allow)
    agent_registry = AgentRegistry(parts.http, egress, parts.redis)
    registry = (
        *agents.pages(agent_registry),
        *servers.pages(Imports(parts.http, egress)),
        *skills.PAGES,
    )
    kinds: tuple[Kind, ...] = (
        Policies(),
        Agents(agent_registry),
        SERVERS,
        SKILLS,
        ServiceAccounts(),
        Keys(),
        Kills(),
    )
    declared = (*objects.pages(kinds), *single.pages(kinds))
    waiting = (*approvals.pages(parts.book), *tools.pages(ToolPins(parts.redis, parts.clock)))
    names = [route.name for route in section.routes]
    roll = RegionRoll(parts.redis, parts.keyring, parts.clock)
    state = (
        *status.pages(parts.roll, parts.snapshots, roll, puller),
        *regions.pages(parts.snapshots, roll, parts.clock),
        *maintenance.pages(board, names),
    )
    fixed = (*state, *keys.PAGES, *kills.pages(parts.survey), *chains.PAGES, *spend.PAGES, *policy.PAGES)
    every = (*fixed, *made, *kept, *registry, *waiting, *declared)
    return AdminPages((*every, openapi.described(every)), control, section.operator_tenant)
