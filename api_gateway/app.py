"""Builds the edge: the one place that knows which parts it is made of."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from api_gateway.admin import (
    AdminPages,
    agents,
    approvals,
    chains,
    keys,
    kills,
    objects,
    policy,
    servers,
    skills,
    spend,
    tokens,
    tools,
    transcripts,
)
from api_gateway.admin.imports import Imports
from api_gateway.balance.gauges import gauges
from api_gateway.balance.watch import Watch
from api_gateway.config import Section, problems
from api_gateway.control import Control, operator_key
from api_gateway.declared.agent import Agents
from api_gateway.declared.key import Keys
from api_gateway.declared.policy import Policies
from api_gateway.forward import Forwarder
from api_gateway.oauth import PATH as TOKEN_PATH
from api_gateway.oauth import TokenEndpoint
from api_gateway.pipeline import Pipeline
from api_gateway.public_relay import PublicRelay
from api_gateway.push import PATH as PUSH_PATH
from api_gateway.push import Push
from api_gateway.routes import RouteTable
from api_gateway.slow_down import SlowDown
from api_gateway.upstream_tls import file_problems, found
from shared.authenticators.client_certificate import ClientCertificate
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.handed_back import HandedBack
from shared.authenticators.oidc import Oidc
from shared.authenticators.virtual_key import VirtualKey
from shared.config import Loaded
from shared.dialects import Dialect
from shared.dialects.a2a import A2A
from shared.dialects.anthropic import Anthropic
from shared.dialects.gemini import Gemini
from shared.dialects.mcp import Mcp
from shared.dialects.openai import OpenAI
from shared.dialects.plain import Plain
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
    control = Control(
        open_store(store_url(loaded)), parts.snapshots, parts.signer, parts.kill, parts.policy, parts.clock
    )
    pages = _pages(loaded, parts, control)
    # Agents call back with what agent_gateway handed them, or with what they got for that here.
    delegation = DelegationToken(
        parts.verifier, keyring=parts.keyring, issuers=("agent_gateway", parts.signer.issuer)
    )
    key = VirtualKey(parts.keyring, loaded.shared.chain.budget)
    oidc = Oidc(parts.issuers, loaded.shared.chain.budget, reserved=(section.operator_tenant,))
    exchange = _exchange(loaded, parts, delegation, key)
    routes = RouteTable(section, pages, parts.clock)
    upstreams = routes.upstreams
    parts.telemetry.gauges.update(gauges(upstreams.pools, upstreams.gates))
    pipeline = Pipeline(
        account=parts.account,
        authenticate=SlowDown(
            (HandedBack(parts.verifier, keyring=parts.keyring), delegation, key, oidc),
            _certificates(loaded, parts),
            clock=parts.clock,
        ),
        routes=routes,
        policy=parts.policy,
        park=parts.park,
        rules=section.limits,
        limiter=parts.limiter,
        forward=Forwarder(
            parts.http,
            parts.signer,
            body_cap=section.max_body_bytes,
            token_seconds=loaded.shared.identity.token_seconds,
        ),
        dialects=_dialects(parts, section.oauth.public_url),
        operator_tenant=section.operator_tenant,
    )
    app = Starlette(
        routes=[
            *public_routes(parts),
            Route(TOKEN_PATH, endpoint=exchange),
            *_public(section, parts, routes),
            Route("/{path:path}", endpoint=pipeline),
        ]
    )
    app.state.control = control
    app.state.watch = Watch(upstreams.pools, parts.http)
    app.state.upstreams = upstreams
    return app


def _pages(loaded: Loaded[Section], parts: Parts, control: Control) -> AdminPages:
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
    declared = objects.pages((Policies(), Agents(agents.Agents(parts.http, egress, parts.redis)), Keys()))
    waiting = (*approvals.pages(parts.book), *tools.pages(ToolPins(parts.redis, parts.clock)))
    fixed = (*keys.PAGES, *kills.PAGES, *chains.PAGES, *spend.PAGES, *policy.PAGES)
    return AdminPages(
        (*fixed, *made, *kept, *registry, *waiting, *declared),
        control,
        section.operator_tenant,
    )


def _certificates(loaded: Loaded[Section], parts: Parts) -> ClientCertificate | None:
    clients = loaded.section.client_certificates
    return ClientCertificate(clients, parts.clock, loaded.shared.chain.budget) if clients else None


def _public(section: Section, parts: Parts, routes: RouteTable) -> list[Route]:
    assert routes.mcp.upstream is not None
    assert routes.agents.upstream is not None
    http = routes.mcp.upstream.http or parts.http
    push = Push(parts.account, http, routes.agents.upstream, section.push, parts.clock)
    relay = PublicRelay(parts.account, http, routes.mcp.upstream)
    return [*relay.routes(), Route(PUSH_PATH, endpoint=push)]


def _dialects(parts: Parts, public_url: str) -> dict[str, Dialect]:
    return {
        "openai": OpenAI(),
        "anthropic": Anthropic(parts.clock),
        "gemini": Gemini(),
        "mcp": Mcp(public_url=public_url),
        "a2a": A2A(),
        "plain": Plain(),
    }


def _exchange(
    loaded: Loaded[Section], parts: Parts, delegation: DelegationToken, key: VirtualKey
) -> TokenEndpoint:
    section = loaded.section
    return TokenEndpoint(
        account=parts.account,
        delegation=delegation,
        key=key,
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
    tasks = [
        owned(_control(loaded, parts, control), "control", parts.failed),
        owned(drain.run(), "drain", parts.failed),
        owned(watch.run(), "balance", parts.failed),
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
)
