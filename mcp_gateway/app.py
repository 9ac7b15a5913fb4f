"""Builds the tool gateway: the one place that knows which parts it is made of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from mcp_gateway.answer import Answer
from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.config import Credential, Section, problems
from mcp_gateway.eras.session import SessionEra
from mcp_gateway.eras.stateless import StatelessEra
from mcp_gateway.forward import Forward
from mcp_gateway.limit import Limit
from mcp_gateway.pipeline import Pipeline
from mcp_gateway.read import Read
from mcp_gateway.running import Running
from mcp_gateway.sessions import Sessions
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

NAME = "mcp_gateway"


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The gateway's app over opened parts. Servers are spoken to in `living`, not here."""
    section = loaded.section
    upstreams: dict[str, Upstream] = {}
    catalog = Catalog(
        upstreams,
        section.servers,
        parts.clock,
        seconds=section.catalog_seconds,
        pause=section.refresh_seconds,
        patience=section.list_timeout_seconds,
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
    pipeline = _pipeline(loaded, parts, catalog, upstreams)
    app = Starlette(routes=[*public_routes(parts), Route("/{path:path}", endpoint=pipeline)])
    app.state.catalog, app.state.upstreams = catalog, upstreams
    return app


def _pipeline(
    loaded: Loaded[Section], parts: Parts, catalog: Catalog, upstreams: dict[str, Upstream]
) -> Pipeline:
    section = loaded.section
    sessions, running = Sessions(parts.redis, section.session_seconds), Running()
    authorize = Authorize(parts.policy, parts.limiter, catalog)
    return Pipeline(
        account=parts.account,
        origins=frozenset(section.allowed_origins),
        hosts=frozenset(section.allowed_hosts),
        authenticate=Authenticate(tuple(_authenticator(kind, parts) for kind in section.accept)),
        read=Read(SessionEra(sessions), StatelessEra(), body_cap=section.max_body_bytes),
        catalog=catalog,
        authorize=authorize,
        limit=Limit(parts.limiter, section.limits, loaded.shared.chain.budget),
        forward=Forward(upstreams, catalog, running, parts.clock),
        answer=Answer(catalog, authorize, sessions, running, list_seconds=section.catalog_seconds),
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
    try:
        yield
    finally:
        await cancelled(warming)
        await app.state.catalog.close()
        await asyncio.gather(*(upstream.close() for upstream in app.state.upstreams.values()))


SERVICE = Service(name=NAME, section=Section, problems=problems, build=build, living=living)
