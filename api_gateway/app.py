"""Builds the edge: the one place that knows which parts it is made of."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from api_gateway.about_token import AboutToken, Question
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
    servers,
    single,
    skills,
    spend,
    status,
    tokens,
    tools,
    transcripts,
)
from api_gateway.admin.imports import Imports
from api_gateway.balance.gauges import gauges
from api_gateway.balance.watch import Watch
from api_gateway.bearers import Bearers
from api_gateway.config import Section, problems
from api_gateway.connect import Connector
from api_gateway.control import Control, operator_key
from api_gateway.declared.agent import Agents
from api_gateway.declared.key import Keys
from api_gateway.declared.kill import Kills
from api_gateway.declared.kind import Kind
from api_gateway.declared.policy import Policies
from api_gateway.declared.server import SERVERS
from api_gateway.declared.skill import SKILLS
from api_gateway.dialects import dialects
from api_gateway.forward import Forwarder
from api_gateway.idempotency_keys import IdempotencyKeys
from api_gateway.introspect import PATH as INTROSPECT_PATH
from api_gateway.introspect import Introspection
from api_gateway.layers import layers
from api_gateway.maintenance import MaintenanceBoard
from api_gateway.oauth import PATH as TOKEN_PATH
from api_gateway.oauth import TokenEndpoint
from api_gateway.pipeline import Pipeline
from api_gateway.public_relay import PublicRelay
from api_gateway.push import PATH as PUSH_PATH
from api_gateway.push import Push
from api_gateway.recall import Recall
from api_gateway.replay import Replay
from api_gateway.revoke import PATH as REVOKE_PATH
from api_gateway.revoke import Revocation
from api_gateway.route_files import file_problems, found
from api_gateway.routes import RouteTable
from api_gateway.slow_down import Refused, SlowDown
from shared.asgi import Patience
from shared.authenticators.client_certificate import ClientCertificate
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.handed_back import HandedBack
from shared.authenticators.oidc import Oidc
from shared.authenticators.virtual_key import VirtualKey
from shared.config import Loaded
from shared.egress import Egress
from shared.errors import Unavailable
from shared.health import public_routes
from shared.ledger.drain import Drain
from shared.parts import Parts, cancelled, owned, with_password
from shared.run import Service
from shared.store import open_store
from shared.tool_pins import ToolPins
from shared.transcripts import Transcripts

OPERATOR_KEY_FILE = "operator.key"
_LOG = logging.getLogger("gatestack")  # noqa: TID251  no request is near
_RETRY_SECONDS = 2.0


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The edge's app over opened parts. The store is opened by the first query: traffic does not wait for
    SQL.
    """
    section = found(loaded.section, loaded.path)
    control = Control(open_store(store_url(loaded)), parts.snapshots, parts.signer, parts.policy, parts.clock)
    board = MaintenanceBoard(section.maintenance, parts.redis)
    pages = _pages(loaded, parts, control, board)
    bearers = _bearers(loaded, parts)
    routes = RouteTable(section, pages, parts.clock, parts.policy)
    upstreams = routes.upstreams
    parts.telemetry.gauges.update(gauges(upstreams.pools, upstreams.gates, upstreams.caches))
    forward = Forwarder(
        parts.http,
        parts.signer,
        body_cap=section.max_body_bytes,
        token_seconds=loaded.shared.identity.token_seconds,
    )
    recall = Recall(forward)
    pipeline = Pipeline(
        account=parts.account,
        authenticate=_authenticate(loaded, parts, bearers),
        routes=routes,
        policy=parts.policy,
        park=parts.park,
        rules=section.limits,
        limiter=parts.limiter,
        forward=forward,
        recall=recall,
        replay=Replay(IdempotencyKeys(parts.redis), recall),
        connect=Connector(forward),
        dialects=dialects(parts.clock, section.oauth.public_url),
        operator_tenant=section.operator_tenant,
        patience=Patience(section.clients.body_idle_seconds, section.clients.body_seconds),
    )
    app = Starlette(
        routes=[
            *public_routes(parts),
            *_oauth(loaded, parts, bearers, control),
            *_public(section, parts, routes),
            Route("/{path:path}", endpoint=pipeline),
            WebSocketRoute("/{path:path}", endpoint=pipeline),
        ],
        middleware=layers(section, parts, routes, pipeline, board),
    )
    # A path with a line break matches no pattern; it is judged like any other.
    app.router.default = pipeline
    app.state.control, app.state.pages = control, pages
    app.state.board = board
    app.state.watch = Watch(upstreams.pools, parts.http)
    app.state.upstreams = upstreams
    return app


def _bearers(loaded: Loaded[Section], parts: Parts) -> Bearers:
    budget = loaded.shared.chain.budget
    return Bearers(
        # Agents call back with what agent_gateway handed them, or with what they got for that here.
        delegation=DelegationToken(
            parts.verifier, keyring=parts.keyring, issuers=("agent_gateway", parts.signer.issuer)
        ),
        key=VirtualKey(parts.keyring, budget),
        oidc=Oidc(parts.issuers, budget, reserved=(loaded.section.operator_tenant,)),
        refused=Refused(parts.clock),
    )


def _pages(loaded: Loaded[Section], parts: Parts, control: Control, board: MaintenanceBoard) -> AdminPages:
    section = loaded.section
    kept = transcripts.pages(Transcripts(parts.redis))
    chain = loaded.shared.chain
    made = tokens.pages(parts.signer, parts.verifier, parts.clock, chain.budget, chain.max_depth)
    egress = Egress(section.registry.allow)
    registry = (
        *agents.pages(parts.http, egress, parts.redis),
        *servers.pages(Imports(parts.http, egress)),
        *skills.PAGES,
    )
    kinds: tuple[Kind, ...] = (
        Policies(),
        Agents(agents.Agents(parts.http, egress, parts.redis)),
        SERVERS,
        SKILLS,
        Keys(),
        Kills(),
    )
    declared = (*objects.pages(kinds), *single.pages(kinds))
    waiting = (*approvals.pages(parts.book), *tools.pages(ToolPins(parts.redis, parts.clock)))
    names = [route.name for route in section.routes]
    state = (*status.pages(parts.roll, parts.snapshots), *maintenance.pages(board, names))
    fixed = (*state, *keys.PAGES, *kills.pages(parts.survey), *chains.PAGES, *spend.PAGES, *policy.PAGES)
    every = (*fixed, *made, *kept, *registry, *waiting, *declared)
    return AdminPages((*every, openapi.described(every)), control, section.operator_tenant)


def _authenticate(loaded: Loaded[Section], parts: Parts, bearers: Bearers) -> SlowDown:
    clients = loaded.section.client_certificates
    silent = ClientCertificate(clients, parts.clock, loaded.shared.chain.budget) if clients else None
    handed_back = HandedBack(parts.verifier, keyring=parts.keyring)
    return SlowDown((handed_back, *bearers.kinds), silent, refused=bearers.refused)


def _public(section: Section, parts: Parts, routes: RouteTable) -> list[Route]:
    assert routes.mcp.upstream is not None
    assert routes.agents.upstream is not None
    http = routes.mcp.upstream.http or parts.http
    push = Push(parts.account, http, routes.agents.upstream, section.push, parts.clock)
    relay = PublicRelay(parts.account, http, routes.mcp.upstream)
    return [*relay.routes(), Route(PUSH_PATH, endpoint=push)]


def _oauth(loaded: Loaded[Section], parts: Parts, bearers: Bearers, control: Control) -> list[Route]:
    section = loaded.section

    def about(question: Question) -> AboutToken:
        return AboutToken(
            question,
            account=parts.account,
            bearers=bearers,
            policy=parts.policy,
            limiter=parts.limiter,
            rules=section.limits,
        )

    told = Introspection(bearers, parts.keyring, parts.kill, section.operator_tenant)
    revoked = Revocation(bearers, control, parts.policy, section.operator_tenant)
    return [
        Route(TOKEN_PATH, endpoint=_exchange(loaded, parts, bearers)),
        Route(INTROSPECT_PATH, endpoint=about(told)),
        Route(REVOKE_PATH, endpoint=about(revoked)),
    ]


def _exchange(loaded: Loaded[Section], parts: Parts, bearers: Bearers) -> TokenEndpoint:
    section = loaded.section
    return TokenEndpoint(
        account=parts.account,
        bearers=bearers,
        policy=parts.policy,
        limiter=parts.limiter,
        rules=section.limits,
        signer=parts.signer,
        clock=parts.clock,
        seconds=loaded.shared.identity.delegation_seconds,
        longest=section.oauth.longest_seconds,
        max_depth=loaded.shared.chain.max_depth,
    )


@contextlib.asynccontextmanager
async def living(loaded: Loaded[Section], parts: Parts, app: Starlette) -> AsyncIterator[None]:
    """The control plane and the ledger's drain, beside serving."""
    control: Control = app.state.control
    watch: Watch = app.state.watch
    await watch.start()
    drain = Drain(parts.redis, control.store, parts.clock)
    parts.telemetry.gauges["gatestack_ledger_rows_waiting"] = lambda: drain.lag
    parts.notes["closed calls wait in Redis: the database does not take them"] = lambda: bool(drain.trouble)
    tasks = [
        owned(_control(loaded, parts, control), "control", parts.failed),
        owned(drain.run(), "drain", parts.failed),
        owned(watch.run(), "balance", parts.failed),
        owned(app.state.board.follow(), "maintenance", parts.failed),
    ]
    try:
        yield
    finally:
        for task in tasks:
            await cancelled(task)
        await app.state.upstreams.close()
        await control.store.close()


async def _control(loaded: Loaded[Section], parts: Parts, control: Control) -> None:
    section = loaded.section
    while True:
        try:
            await control.start(loaded.shared.policy)
            await operator_key(
                control, parts.state_dir / OPERATOR_KEY_FILE, section.operator, section.operator_tenant
            )
            await control.run()
        except Unavailable as error:
            _LOG.warning("the control plane waits: %s", error.detail)
            await asyncio.sleep(_RETRY_SECONDS)


def store_url(loaded: Loaded[Section]) -> str:
    """Where SQL is, with the password that is configured apart from it."""
    state = loaded.shared.state
    if state.sql == "embedded":
        return f"sqlite://{loaded.path(state.dir) / 'gatestack.db'}"
    return with_password(state.sql, state.sql_password.reveal())


SERVICE = Service(
    name="api_gateway",
    section=Section,
    problems=problems,
    file_problems=file_problems,
    build=build,
    living=living,
    clients=lambda section: section.clients,
)
