"""Builds the model gateway: the one place that knows which parts it is made of."""

import contextlib
from collections.abc import AsyncIterator

from msgspec import Struct
from starlette.applications import Starlette
from starlette.routing import Route

from llm_gateway.authorize import Authorize
from llm_gateway.cache.lookup import Cache
from llm_gateway.catalog import Catalog
from llm_gateway.config import Section, problems
from llm_gateway.counting import AnthropicCount, CountForm, Counting, GeminiCount
from llm_gateway.endpoints.owned import Owned
from llm_gateway.endpoints.routes import endpoint_routes
from llm_gateway.files_owned import OwnedFiles
from llm_gateway.formats import Format
from llm_gateway.formats.anthropic import Anthropic
from llm_gateway.formats.gemini import Gemini
from llm_gateway.formats.openai_chat import OpenAIChat
from llm_gateway.formats.openai_responses import OpenAIResponses
from llm_gateway.guards.selected import ChatGuards
from llm_gateway.limit import Limit, counts
from llm_gateway.listing import Listing
from llm_gateway.memory import Memory
from llm_gateway.openapi.page import Described
from llm_gateway.pipeline import Pipeline
from llm_gateway.prices import UNKNOWN, PriceBook
from llm_gateway.reach import Reach
from llm_gateway.responses import Forgetful, Responses
from llm_gateway.responses_endpoint import PATHS as RESPONSES_PATHS
from llm_gateway.responses_endpoint import ResponsesEndpoint
from llm_gateway.router.build import Routing
from llm_gateway.tokens import warm
from llm_gateway.transcripts.keep import Transcribe
from shared.agent_list import AgentList
from shared.authenticators import Authenticate
from shared.authenticators.accepted import accepted
from shared.background import cancelled, owned
from shared.config import Loaded
from shared.dialects import Dialect
from shared.dialects.model_paths import ModelDialect
from shared.dialects.openai import OpenAI
from shared.errors import Fault
from shared.health import public_routes
from shared.parts import Parts
from shared.run import Service
from shared.shortcut import Shortcut


class _Stages(Struct, frozen=True):
    """What every endpoint has round its own work."""

    authenticate: Authenticate
    authorize: Authorize
    limit: Limit
    guards: ChatGuards


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The gateway's app over opened parts."""
    section = loaded.section
    agents = AgentList(parts.redis)
    catalog = Catalog(section, _prices(loaded), agents)
    _tell_unpriced(catalog, parts)
    stages = _Stages(
        authenticate=accepted(section.accept, parts),
        authorize=Authorize(catalog, parts.policy, parts.limiter),
        limit=_limit(loaded, parts, catalog),
        guards=ChatGuards(section.guards, http=parts.http),
    )
    routing = Routing(section, catalog, parts)
    others = endpoint_routes(
        section,
        parts,
        catalog=catalog,
        authenticate=stages.authenticate,
        authorize=stages.authorize,
        limit=stages.limit,
        budget=loaded.shared.chain.budget,
        guards=stages.guards,
        routing=routing,
    )
    listing = _listing(parts, stages, catalog)
    # Calls first: routes are tried in order.
    calls = [*_chats(section, parts, stages, routing), *_counts(section, parts, stages), *others]
    described = Described(
        [route.path for route in calls],
        account=parts.account,
        authenticate=stages.authenticate,
        dialect=OpenAI(),
    )
    calls.append(Route(described.path, endpoint=described))
    app = Starlette(routes=[*calls, *public_routes(parts), Route("/{path:path}", endpoint=listing)])
    # A redirect would answer an unknown caller before it is asked who it is.
    app.router.redirect_slashes = False
    # What no route matches, a path with a line break in it, is not found like any other.
    app.router.default = listing
    app.middleware_stack = Shortcut(app.router, app.build_middleware_stack())
    app.state.routing, app.state.agents = routing, agents
    return app


def _listing(parts: Parts, stages: _Stages, catalog: Catalog) -> Listing:
    # How each family of clients reads an error.
    dialects: dict[ModelDialect, Dialect] = {
        "openai": OpenAI(),
        "anthropic": Anthropic(parts.clock).dialect,
        "gemini": Gemini().dialect,
    }
    return Listing(
        account=parts.account,
        authenticate=stages.authenticate,
        catalog=catalog,
        policy=parts.policy,
        dialects=dialects,
        created=int(parts.clock.now()),
    )


def _chats(section: Section, parts: Parts, stages: _Stages, routing: Routing) -> list[Route]:
    """A pipeline for each format that clients speak, and what is left of their conversations."""
    stateful = OpenAIResponses(remote_tools=section.remote_tools)
    files = OwnedFiles(Owned(parts.redis, parts.clock), account_ids=section.account_ids)
    responses, forgetful = Responses(parts.redis, stateful, files), Forgetful(files)
    cache = Cache(section.cache, parts.redis, parts.http, parts.clock)
    memory, transcribe = Memory(parts.redis), Transcribe(section.transcripts, parts.redis)

    def pipeline(spoken: Format) -> Pipeline:
        return Pipeline(
            spoken,
            account=parts.account,
            authenticate=stages.authenticate,
            authorize=stages.authorize,
            park=parts.park,
            limit=stages.limit,
            guards=stages.guards,
            cache=cache,
            memory=memory,
            responses=responses if spoken is stateful else forgetful,
            transcribe=transcribe,
            route=routing.route,
            forward=routing.forward,
            max_body_bytes=section.max_body_bytes,
            reach=Reach(remote_tools=section.remote_tools, account_ids=section.account_ids),
        )

    kept = ResponsesEndpoint(
        account=parts.account,
        authenticate=stages.authenticate,
        authorize=stages.authorize,
        responses=responses,
        http=parts.http,
        dialect=stateful.dialect,
    )
    formats: tuple[Format, ...] = (OpenAIChat(), stateful, Anthropic(parts.clock), Gemini())
    pipelines = [(spoken.paths, pipeline(spoken)) for spoken in formats]
    calls = [Route(path, endpoint=made) for paths, made in pipelines for path in paths]
    return [*calls, *(Route(path, endpoint=kept) for path in RESPONSES_PATHS)]


def _counts(section: Section, parts: Parts, stages: _Stages) -> list[Route]:
    forms: tuple[CountForm, ...] = (AnthropicCount(parts.clock), GeminiCount())
    counting = [
        Counting(
            form,
            account=parts.account,
            authenticate=stages.authenticate,
            authorize=stages.authorize,
            park=parts.park,
            limit=stages.limit,
            http=parts.http,
            max_body_bytes=section.max_body_bytes,
            reach=Reach(remote_tools=section.remote_tools, account_ids=section.account_ids),
        )
        for form in forms
    ]
    return [
        Route(path, endpoint=each) for form, each in zip(forms, counting, strict=True) for path in form.paths
    ]


def _prices(loaded: Loaded[Section]) -> PriceBook:
    """Raises Fault when the operator's own price list cannot be read."""
    name = loaded.section.prices_file
    try:
        return PriceBook.read(loaded.path(name)) if name else PriceBook()
    except (OSError, ValueError) as error:
        raise Fault(f"prices_file: {name}: {error}", cause=error) from error


def _limit(loaded: Loaded[Section], parts: Parts, catalog: Catalog) -> Limit:
    section = loaded.section
    if counts(section.limits, section.count_tokens):
        warm(model.targets[0].model for _, model in catalog.items())
    return Limit(section.limits, parts.limiter, loaded.shared.chain.budget, section.count_tokens)


def _tell_unpriced(catalog: Catalog, parts: Parts) -> None:
    """How many targets have no price that anybody knows: their calls count as free and say so."""
    models = {model.name: model for _, model in catalog.items()}.values()
    count = sum(target.price is UNKNOWN for model in models for target in model.targets)
    parts.telemetry.gauges["gatestack_unpriced_targets"] = lambda: count


@contextlib.asynccontextmanager
async def living(loaded: Loaded[Section], parts: Parts, app: Starlette) -> AsyncIterator[None]:
    await app.state.agents.look()
    listening = owned(app.state.agents.run(), "agents", parts.failed)
    try:
        async with app.state.routing.living():
            yield
    finally:
        await cancelled(listening)


SERVICE = Service(name="llm_gateway", section=Section, problems=problems, build=build, living=living)
