"""Builds the tool gateway: the one place that knows which parts it is made of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from mcp_gateway.answer import Answer
from mcp_gateway.approve import Approve
from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.catalogs import Catalogs
from mcp_gateway.circuits import Circuits
from mcp_gateway.config import Section, problems
from mcp_gateway.consent import ConsentPages
from mcp_gateway.credentials.build import Credentials, open_credentials
from mcp_gateway.endpoint import Endpoint
from mcp_gateway.eras.session import SessionEra
from mcp_gateway.eras.stateless import StatelessEra
from mcp_gateway.forward import Forward
from mcp_gateway.guard import Guard
from mcp_gateway.items import Marks
from mcp_gateway.limit import Limit
from mcp_gateway.listen import Listen
from mcp_gateway.pipeline import Pipeline
from mcp_gateway.questions.consent import CallersConsent
from mcp_gateway.questions.opened import Questions
from mcp_gateway.read import Read
from mcp_gateway.registry.build import Registry
from mcp_gateway.resource_metadata import metadata_routes
from mcp_gateway.route import Route as Routing
from mcp_gateway.running import Running
from mcp_gateway.sessions import Sessions
from mcp_gateway.standing.changes import Changes
from mcp_gateway.standing.watches import Watches
from mcp_gateway.subscribe import Subscribe
from mcp_gateway.tasks import Tasks
from mcp_gateway.trust.approvals import obey_approvals
from mcp_gateway.trust.judge import Judge
from mcp_gateway.turns import Turns
from mcp_gateway.upstreams import open_upstream
from mcp_gateway.upstreams.upstream import Upstream
from mcp_gateway.user_grants import UserGrantPages
from shared.agent_list import AgentList
from shared.authenticators.accepted import accepted
from shared.background import cancelled, owned
from shared.config import Loaded
from shared.dialects.mcp import Mcp
from shared.health import public_routes
from shared.identity.hand_back import HandBack
from shared.parts import Parts
from shared.run import Service
from shared.shortcut import Shortcut
from shared.tool_pins import ToolPins

NAME = "mcp_gateway"


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The gateway's app over opened parts. Servers are spoken to in `living`, not here."""
    section = loaded.section
    upstreams: dict[str, Upstream] = {}
    agents = AgentList(parts.redis)
    catalogs = Catalogs(section.catalogs, section.servers, parts.policy)
    registry = Registry(section, parts)
    catalog = _catalog(section, parts, upstreams, registry.shelf.marks(catalogs.marks))
    changes = Changes(catalog, upstreams)
    explicit = section.destructive == "explicit"
    authorize = Authorize(parts.policy, parts.limiter, catalog, catalogs, agents=agents, explicit=explicit)
    registry.tell(changes)
    credentials = open_credentials(section, parts, changes.decided)
    for name, rule in section.servers.items():
        upstreams[name] = open_upstream(
            name,
            rule.transport,
            http=parts.http,
            credential=credentials.of[name],
            consents=credentials.consents,
            clock=parts.clock,
            base=loaded.base,
            result_cap=section.max_result_bytes,
            changed=changes.changed,
            agents=agents,
            library=registry.library(authorize, catalog),
        )
    questions = Questions.open(parts)
    pipeline = _pipeline(loaded, parts, catalog, catalogs, upstreams, authorize, questions, changes)
    app = Starlette(
        routes=[
            *public_routes(parts),
            *metadata_routes(section),
            *_user_routes(section, parts, authorize, credentials),
            *registry.pages(authorize, catalog, accepted(section.accept, parts)).routes(),
            Route("/{path:path}", endpoint=pipeline),
        ]
    )
    app.middleware_stack = Shortcut(app.router, app.build_middleware_stack())
    app.state.catalog, app.state.upstreams, app.state.credentials = catalog, upstreams, credentials
    app.state.agents, app.state.questions, app.state.changes = agents, questions, changes
    return app


def _catalog(section: Section, parts: Parts, upstreams: dict[str, Upstream], marks: Marks) -> Catalog:
    return Catalog(
        upstreams,
        section.servers,
        parts.clock,
        seconds=section.catalog_seconds,
        pause=section.refresh_seconds,
        patience=section.list_timeout_seconds,
        judge=Judge(ToolPins(parts.redis, parts.clock), tuple(section.servers), section.scan),
        trust=section.trust,
        marks=marks,
    )


def _pipeline(
    loaded: Loaded[Section],
    parts: Parts,
    catalog: Catalog,
    catalogs: Catalogs,
    upstreams: dict[str, Upstream],
    authorize: Authorize,
    questions: Questions,
    changes: Changes,
) -> Pipeline:
    section = loaded.section
    sessions, running = Sessions(parts.redis, section.session_seconds), Running(questions.mail)
    watches = Watches(parts.redis, questions.mail, section.session_seconds)
    turns, tasks = _turns(section, parts), Tasks(parts.redis)
    consent = CallersConsent(questions.desk, seconds=loaded.shared.approvals.wait_seconds)
    dialect = Mcp(public_url=section.public_url if section.authorization_servers else "")
    return Pipeline(
        account=parts.account,
        dialect=dialect,
        origins=frozenset(section.allowed_origins),
        hosts=frozenset(section.allowed_hosts),
        authenticate=accepted(section.accept, parts),
        endpoint=Endpoint(catalogs, frozenset(section.search.teams)),
        read=Read(SessionEra(sessions), StatelessEra(), dialect=dialect, body_cap=section.max_body_bytes),
        route=Routing(catalog, catalogs),
        catalog=catalog,
        authorize=authorize,
        guard=Guard(section.guards, parts.http, parts.limiter),
        approve=Approve(parts.park, consent, catalog, running, destructive=section.destructive == "approval"),
        limit=Limit(parts.limiter, section.limits, loaded.shared.chain.budget),
        forward=Forward(
            upstreams, catalog, running, parts.clock, turns, HandBack(parts.signer), questions, tasks
        ),
        listen=Listen(
            upstreams, catalog, catalogs, authorize, changes, sessions, watches, questions, parts.kill
        ),
        subscribe=Subscribe(catalog, watches),
        answer=Answer(
            catalog,
            catalogs,
            authorize,
            sessions,
            running,
            questions.desk,
            watches,
            list_seconds=section.catalog_seconds,
            results=section.search.results,
        ),
    )


def _turns(section: Section, parts: Parts) -> Turns:
    circuits = Circuits(section.servers, parts.clock)
    parts.telemetry.gauges["gatestack_servers_shut"] = circuits.shut
    return Turns(section.servers, circuits)


def _user_routes(
    section: Section, parts: Parts, authorize: Authorize, credentials: Credentials
) -> list[Route]:
    """Where users connect to servers, and see and take back what they have allowed."""
    consents = credentials.consents
    if consents is None:
        return []
    pages = ConsentPages(parts.account, consents, section.public_url)
    grants = UserGrantPages(parts.account, accepted(section.accept, parts), authorize, consents)
    return [*pages.routes(), *grants.routes()]


@contextlib.asynccontextmanager
async def living(loaded: Loaded[Section], parts: Parts, app: Starlette) -> AsyncIterator[None]:
    """Every server is started and asked what it has at once, and ended when this service ends."""
    await app.state.agents.look()
    listening = owned(app.state.agents.run(), "agents", parts.failed)
    mail = owned(app.state.questions.mail.run(), "mail", parts.failed)
    warming = owned(app.state.catalog.warm(), "warming", parts.failed)
    approvals = owned(obey_approvals(parts.redis, app.state.changes), "approvals", parts.failed)
    try:
        yield
    finally:
        await cancelled(warming)
        await cancelled(approvals)
        await cancelled(listening)
        await app.state.questions.parked.close()
        await app.state.changes.close()
        await cancelled(mail)
        await app.state.catalog.close()
        await asyncio.gather(*(upstream.close() for upstream in app.state.upstreams.values()))
        await app.state.credentials.close()


SERVICE = Service(name=NAME, section=Section, problems=problems, build=build, living=living)
