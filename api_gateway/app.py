"""Builds the edge: the one place that knows which parts it is made of."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from api_gateway.admin import AdminPages, chains, keys, kills, policy
from api_gateway.config import Section, problems
from api_gateway.control import Control, operator_key
from api_gateway.forward import Forwarder
from api_gateway.pipeline import Pipeline
from api_gateway.routes import RouteTable
from shared.authenticators import Authenticate
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.virtual_key import VirtualKey
from shared.config import Loaded
from shared.dialects import Dialect
from shared.dialects.a2a import A2A
from shared.dialects.mcp import Mcp
from shared.dialects.openai import OpenAI
from shared.dialects.plain import Plain
from shared.errors import Unavailable
from shared.health import public_routes
from shared.ledger.drain import Drain
from shared.parts import Parts, cancelled, owned, with_password
from shared.run import Service
from shared.store import open_store

OPERATOR_KEY_FILE = "operator.key"
_LOG = logging.getLogger("gatestack")  # noqa: TID251  no request is near
_RETRY_SECONDS = 2.0


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The edge's app over opened parts. The store is opened by the first query: traffic does not wait for
    SQL.
    """
    section = loaded.section
    control = Control(
        open_store(store_url(loaded)), parts.snapshots, parts.signer, parts.kill, parts.policy, parts.clock
    )
    pages = AdminPages(
        (*keys.PAGES, *kills.PAGES, *chains.PAGES, *policy.PAGES), control, section.operator_tenant
    )
    dialects: dict[str, Dialect] = {"openai": OpenAI(), "mcp": Mcp(), "a2a": A2A(), "plain": Plain()}
    pipeline = Pipeline(
        account=parts.account,
        authenticate=Authenticate(
            (
                DelegationToken(parts.verifier, keyring=parts.keyring),
                VirtualKey(parts.keyring, loaded.shared.chain.budget),
            )
        ),
        routes=RouteTable(section, pages),
        policy=parts.policy,
        rules=section.limits,
        limiter=parts.limiter,
        forward=Forwarder(
            parts.http,
            parts.signer,
            body_cap=section.max_body_bytes,
            token_seconds=loaded.shared.identity.token_seconds,
        ),
        dialects=dialects,
        operator_tenant=section.operator_tenant,
    )
    app = Starlette(routes=[*public_routes(parts), Route("/{path:path}", endpoint=pipeline)])
    app.state.control = control
    return app


@contextlib.asynccontextmanager
async def living(loaded: Loaded[Section], parts: Parts, app: Starlette) -> AsyncIterator[None]:
    """The control plane and the ledger's drain, beside serving."""
    control: Control = app.state.control
    drain = Drain(parts.redis, control.store, parts.clock)
    parts.telemetry.gauges["gatestack_ledger_rows_waiting"] = lambda: drain.lag
    tasks = [
        owned(_control(loaded, parts, control), "control", parts.failed),
        owned(drain.run(), "drain", parts.failed),
    ]
    try:
        yield
    finally:
        for task in tasks:
            await cancelled(task)
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


SERVICE = Service(name="api_gateway", section=Section, problems=problems, build=build, living=living)
