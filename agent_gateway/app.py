"""Builds the agent gateway: the one place that knows which parts it is made of."""

import contextlib
from collections.abc import AsyncIterator
from typing import TypedDict

from starlette import routing
from starlette.applications import Starlette

from agent_gateway.authorize import Authorize
from agent_gateway.bindings.extensions import Extensions
from agent_gateway.bindings.incoming import Incoming
from agent_gateway.bridges.build import bridges
from agent_gateway.bridges.card import MadeCards
from agent_gateway.cards import Cards
from agent_gateway.catalog import Catalog
from agent_gateway.config import Section, problems
from agent_gateway.delegate import Delegate
from agent_gateway.extended_card import ExtendedCard
from agent_gateway.forward import Forward, Own
from agent_gateway.guard import Guard
from agent_gateway.left import Left
from agent_gateway.limit import Limit
from agent_gateway.listing import Listing
from agent_gateway.pipeline import Pipeline
from agent_gateway.probe import Probe
from agent_gateway.push.build import Push
from agent_gateway.read import Read
from agent_gateway.registry.directory import Directory
from agent_gateway.registry.publish import Publish
from agent_gateway.replicas import Replicas
from agent_gateway.route import Route
from agent_gateway.show import Show
from agent_gateway.tasks import Tasks
from agent_gateway.trust import Trust
from agent_gateway.trust.keys import keys_of
from agent_gateway.trust.sign import CardSigner
from agent_gateway.trust.watch import Watch
from agent_gateway.upstream import Upstream
from shared.authenticators.accepted import accepted
from shared.background import cancelled, owned
from shared.config import Loaded
from shared.egress import Egress
from shared.health import public_routes
from shared.parts import Parts
from shared.run import Service
from shared.shortcut import Shortcut

NAME = "agent_gateway"


class _SeenAs(TypedDict):
    """What cards tell of us, wherever they are served."""

    public_url: str
    extensions: frozenset[str]


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The agent gateway's app over opened parts."""
    section, shared = loaded.section, loaded.shared
    extensions = Extensions(section.extensions, section.extensions_unknown)
    catalog = Catalog(section.agents, keys_of(section.agents, loaded.path))
    parts.snapshots.on("agents", catalog.apply)
    trust, egress = Trust(parts.redis, parts.clock), Egress(section.registry.allow)
    cards = _cards(section, parts, trust, egress)
    replicas = Replicas(parts.redis, parts.clock, catalog, cards, seconds=section.task_seconds)
    tasks = Tasks(parts.redis, section.task_seconds, parts.clock)
    route = Route(parts.signer, replicas, egress, seconds=shared.identity.delegation_seconds)
    upstream = Upstream(
        parts.http, parts.clock, bridges(section, parts, egress), reply_cap=section.max_reply_bytes
    )
    left = Left(parts.kill, parts.http, route, parts.clock, parts.telemetry, seconds=section.task_seconds)
    guard = Guard(section.guards, parts.http, parts.limiter)
    push = Push(section, parts, catalog, tasks, route, upstream, guard)
    sign = CardSigner(parts.signer)
    seen_as = _SeenAs(public_url=section.public_url, extensions=extensions.allowed)
    own: dict[str, Own] = push.operations | {
        "ListTasks": Listing(tasks, route, upstream),
        "GetExtendedAgentCard": ExtendedCard(cards, upstream, parts.policy, sign, **seen_as),
    }
    pipeline = Pipeline(
        account=parts.account,
        authenticate=accepted(section.accept, parts),
        read=Read(catalog, Incoming(extensions), body_cap=section.max_body_bytes),
        authorize=Authorize(parts.policy, parts.limiter, trust),
        guard=guard,
        park=parts.park,
        directory=Directory(catalog, cards, trust, parts.policy, public_url=section.public_url),
        replicas=replicas,
        delegate=Delegate(
            catalog, cards, max_depth=shared.chain.max_depth, limiter=parts.limiter, clock=parts.clock
        ),
        limit=Limit(parts.limiter, section.limits, shared.chain),
        tasks=tasks,
        route=route,
        forward=Forward(parts.clock, tasks, route, upstream, own=own, configs=push.configs, left=left),
        show=Show(cards, sign, **seen_as),
    )
    ingress = routing.Route("/agents/{name}/push/{hook}", endpoint=push.ingress)
    app = Starlette(routes=[*public_routes(parts), ingress, routing.Route("/{path:path}", endpoint=pipeline)])
    app.middleware_stack = Shortcut(app.router, app.build_middleware_stack())
    app.state.push, app.state.left = push, left
    every = section.registry.check_seconds
    app.state.trust = trust
    app.state.publish = Publish(parts.redis, catalog, cards, trust)
    app.state.watch = Watch(catalog, cards, trust, seconds=every)
    app.state.probe = Probe(parts.http, catalog, replicas, seconds=every)
    return app


def _cards(section: Section, parts: Parts, trust: Trust, egress: Egress) -> Cards:
    return Cards(
        parts.http,
        parts.clock,
        cap=section.max_card_bytes,
        seconds=section.card_seconds,
        accept=trust.accept,
        egress=egress,
        made=MadeCards(parts.redis, parts.clock),
    )


@contextlib.asynccontextmanager
async def living(loaded: Loaded[Section], parts: Parts, app: Starlette) -> AsyncIterator[None]:
    """Notifications are delivered, cards watched and replicas probed beside serving."""
    state = app.state
    await state.trust.look()
    beside = [
        owned(state.push.deliver.run(), "push", parts.failed),
        owned(state.trust.run(), "trust", parts.failed),
        owned(state.watch.run(), "cards", parts.failed),
        owned(state.probe.run(), "probes", parts.failed),
        owned(state.publish.run(), "agents", parts.failed),
        owned(state.left.run(), "left tasks", parts.failed),
    ]
    try:
        yield
    finally:
        for task in beside:
            await cancelled(task)


SERVICE = Service(name=NAME, section=Section, problems=problems, build=build, living=living)
