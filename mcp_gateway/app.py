"""Builds the tool gateway: the one place that knows which parts it is made of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from mcp_gateway.answer import Answer
from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.catalogs import Catalogs
from mcp_gateway.config import Credential, Section, problems
from mcp_gateway.endpoint import Endpoint
from mcp_gateway.eras.session import SessionEra
from mcp_gateway.eras.stateless import StatelessEra
from mcp_gateway.forward import Forward
from mcp_gateway.limit import Limit
from mcp_gateway.pipeline import Pipeline
from mcp_gateway.read import Read
from mcp_gateway.route import Route as Routing
from mcp_gateway.running import Running
from mcp_gateway.sessions import Sessions
from mcp_gateway.trust.approvals import obey_approvals
from mcp_gateway.trust.judge import Judge
from mcp_gateway.turns import Turns
from mcp_gateway.upstreams import open_upstream
from mcp_gateway.upstreams.upstream import Upstream
from shared.authenticators import Authenticate, Authenticator
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.identity_token import IdentityToken
from shared.authenticators.virtual_key import VirtualKey
from shared.config import Loaded
from shared.health import public_routes
from shared.parts import Parts, cancelled, owned
from shared.run import Service
from shared.tool_pins import ToolPins

NAME = "mcp_gateway"


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The gateway's app over opened parts. Servers are spoken to in `living`, not here."""
    section = loaded.section
    upstreams: dict[str, Upstream] = {}
    catalogs = Catalogs(section.catalogs, section.servers, parts.policy)
    catalog = Catalog(
        upstreams,
        section.servers,
        parts.clock,
        seconds=section.catalog_seconds,
        pause=section.refresh_seconds,
        patience=section.list_timeout_seconds,
        judge=Judge(ToolPins(parts.redis, parts.clock), tuple(section.servers), section.scan),
        trust=section.trust,
        marks=catalogs.marks,
    )
    for name, rule in section.servers.items():
        upstreams[name] = open_upstream(
            name,
            rule.transport,
            http=parts.http,
            clock=parts.clock,
            base=loaded.base,
            result_cap=section.max_result_bytes,
            changed=catalog.changed,
        )
    pipeline = _pipeline(loaded, parts, catalog, catalogs, upstreams)
    app = Starlette(routes=[*public_routes(parts), Route("/{path:path}", endpoint=pipeline)])
    app.state.catalog, app.state.upstreams = catalog, upstreams
    return app


def _pipeline(
    loaded: Loaded[Section],
    parts: Parts,
    catalog: Catalog,
    catalogs: Catalogs,
    upstreams: dict[str, Upstream],
) -> Pipeline:
    section = loaded.section
    sessions, running = Sessions(parts.redis, section.session_seconds), Running()
    explicit = section.destructive == "explicit"
    authorize = Authorize(parts.policy, parts.limiter, catalog, catalogs, explicit=explicit)
    return Pipeline(
        account=parts.account,
        origins=frozenset(section.allowed_origins),
        hosts=frozenset(section.allowed_hosts),
        authenticate=Authenticate(tuple(_authenticator(kind, parts) for kind in section.accept)),
        endpoint=Endpoint(catalogs, frozenset(section.search.teams)),
        read=Read(SessionEra(sessions), StatelessEra(), body_cap=section.max_body_bytes),
        route=Routing(catalog, catalogs),
        catalog=catalog,
        authorize=authorize,
        limit=Limit(parts.limiter, section.limits, loaded.shared.chain.budget),
        forward=Forward(upstreams, catalog, running, parts.clock, Turns(section.servers)),
        answer=Answer(
            catalog,
            catalogs,
            authorize,
            sessions,
            running,
            list_seconds=section.catalog_seconds,
            results=section.search.results,
        ),
    )


def _authenticator(kind: Credential, parts: Parts) -> Authenticator:
    if kind == "identity":
        return IdentityToken(parts.verifier, audience=NAME)
    if kind == "delegation":
        return DelegationToken(parts.verifier, keyring=parts.keyring)
    return VirtualKey(parts.keyring)


@contextlib.asynccontextmanager
async def living(loaded: Loaded[Section], parts: Parts, app: Starlette) -> AsyncIterator[None]:
    """Every server is started and asked what it has at once, and ended when this service ends."""
    warming = owned(app.state.catalog.warm(), "warming", parts.failed)
    approvals = owned(obey_approvals(parts.redis, app.state.catalog), "approvals", parts.failed)
    try:
        yield
    finally:
        await cancelled(warming)
        await cancelled(approvals)
        await app.state.catalog.close()
        await asyncio.gather(*(upstream.close() for upstream in app.state.upstreams.values()))


SERVICE = Service(name=NAME, section=Section, problems=problems, build=build, living=living)
