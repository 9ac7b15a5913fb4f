"""Builds the edge: the one place that knows which parts it is made of."""

from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from api_gateway.admin.build import admin_pages
from api_gateway.authenticate import authentication, believed
from api_gateway.balance.gauges import gauges
from api_gateway.balance.watch import Watch
from api_gateway.config import Section, problems
from api_gateway.connect import Connector
from api_gateway.control import Control
from api_gateway.dialects import dialects
from api_gateway.forward import Forwarder
from api_gateway.idempotency_keys import IdempotencyKeys
from api_gateway.layers import layers
from api_gateway.living import living
from api_gateway.maintenance import MaintenanceBoard
from api_gateway.oauth.bearers import Bearers
from api_gateway.oauth.build import token_endpoints
from api_gateway.pipeline import Pipeline
from api_gateway.public_relay import PublicRelay
from api_gateway.push import PATH as PUSH_PATH
from api_gateway.push import Push
from api_gateway.recall import Recall
from api_gateway.regions.build import open_puller
from api_gateway.replay import Replay
from api_gateway.route_files import file_problems, found
from api_gateway.routes import RouteTable
from shared.asgi import Patience
from shared.config import Loaded
from shared.health import public_routes
from shared.parts import Parts
from shared.run import Service
from shared.shortcut import Shortcut
from shared.state_address import sql_address
from shared.store import open_store


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The edge's app over opened parts. The store is opened by the first query: traffic does not wait for
    SQL.
    """
    section = found(loaded.section, loaded.path)
    control = Control(
        open_store(sql_address(loaded)),
        parts.snapshots,
        parts.signer,
        parts.policy,
        parts.clock,
        plane=loaded.shared.control.plane,
    )
    puller = open_puller(loaded, parts)
    board = MaintenanceBoard(section.maintenance, parts.redis)
    pages = admin_pages(loaded, parts, control, board, puller)
    bearers = believed(loaded, parts)
    routes = RouteTable(section, pages, parts.clock, parts.policy)
    upstreams = routes.upstreams
    parts.telemetry.gauges.update(gauges(upstreams.pools, upstreams.gates, upstreams.caches))
    pipeline = _pipeline(loaded, parts, routes, bearers)
    app = Starlette(
        routes=[
            *public_routes(parts),
            *token_endpoints(loaded, parts, bearers, control),
            *_public(section, parts, routes),
            Route("/{path:path}", endpoint=pipeline),
            WebSocketRoute("/{path:path}", endpoint=pipeline),
        ],
        middleware=layers(section, parts, routes, pipeline, board),
    )
    # A path with a line break matches no pattern; it is judged like any other.
    app.router.default = pipeline
    app.router.middleware_stack = Shortcut(app.router, app.router.app)
    app.state.control, app.state.pages = control, pages
    app.state.board, app.state.puller = board, puller
    app.state.watch = Watch(upstreams.pools, parts.http)
    app.state.upstreams = upstreams
    return app


def _pipeline(loaded: Loaded[Section], parts: Parts, routes: RouteTable, bearers: Bearers) -> Pipeline:
    section = loaded.section
    forward = Forwarder(
        parts.http,
        parts.signer,
        body_cap=section.max_body_bytes,
        token_seconds=loaded.shared.identity.token_seconds,
    )
    recall = Recall(forward)
    return Pipeline(
        account=parts.account,
        authenticate=authentication(loaded, parts, bearers),
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


def _public(section: Section, parts: Parts, routes: RouteTable) -> list[Route]:
    assert routes.mcp.upstream is not None
    assert routes.agents.upstream is not None
    http = routes.mcp.upstream.http or parts.http
    push = Push(parts.account, http, routes.agents.upstream, section.push, parts.clock)
    relay = PublicRelay(parts.account, http, routes.mcp.upstream)
    return [*relay.routes(), Route(PUSH_PATH, endpoint=push)]


SERVICE = Service(
    name="api_gateway",
    section=Section,
    problems=problems,
    file_problems=file_problems,
    build=build,
    living=living,
    clients=lambda section: section.clients,
)
