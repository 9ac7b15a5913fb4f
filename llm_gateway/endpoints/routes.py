"""Builds the endpoints next to chat, and says where they stand."""

from starlette.routing import Route

from llm_gateway.authorize import Authorize
from llm_gateway.batches import Batches
from llm_gateway.cache.bodies import BodyCache
from llm_gateway.catalog import Catalog
from llm_gateway.config import Section
from llm_gateway.endpoints.admit import Admit
from llm_gateway.endpoints.errand import ErrandPipeline
from llm_gateway.endpoints.forward import Forward
from llm_gateway.endpoints.inspect import Inspect
from llm_gateway.endpoints.owned import Owned
from llm_gateway.endpoints.pipeline import EndpointPipeline
from llm_gateway.endpoints.registry import ENDPOINTS
from llm_gateway.endpoints.route import EndpointRouter, tasks
from llm_gateway.endpoints.upstream import Upstream
from llm_gateway.files import Files
from llm_gateway.files_owned import OwnedFiles
from llm_gateway.guards.selected import ChatGuards
from llm_gateway.limit import Limit
from llm_gateway.passthrough import PATH as PASSTHROUGH
from llm_gateway.passthrough import Passthrough
from llm_gateway.reach import Reach
from llm_gateway.router.build import Routing
from shared.authenticators import Authenticate
from shared.identity.principal import ChainBudget
from shared.parts import Parts


def endpoint_routes(
    section: Section,
    parts: Parts,
    *,
    catalog: Catalog,
    authenticate: Authenticate,
    authorize: Authorize,
    limit: Limit,
    budget: ChainBudget,
    guards: ChatGuards,
    routing: Routing,
) -> list[Route]:
    """`budget` is what any chain may spend."""
    inspect = Inspect(guards)
    own = section.endpoints
    cache = BodyCache(section.cache, parts.redis, parts.clock)
    owned = Owned(parts.redis, parts.clock)
    chosen_by = tasks(model for _, model in catalog.items())
    routes = []
    for endpoint in ENDPOINTS:
        state = routing.beside(endpoint.name)
        forward = Forward(
            parts.http,
            state,
            routing.budget,
            parts.clock,
            max_reply_bytes=section.max_reply_bytes,
            mirrors=routing.mirrors,
        )
        pipeline = EndpointPipeline(
            endpoint,
            account=parts.account,
            authenticate=authenticate,
            authorize=authorize,
            park=parts.park,
            limit=limit,
            inspect=inspect,
            cache=cache,
            route=EndpointRouter(state, chosen_by, parts.clock),
            forward=forward,
            max_body_bytes=own.max_upload_bytes if endpoint.form else section.max_body_bytes,
            reach=Reach(remote_tools=section.remote_tools, account_ids=section.account_ids),
            files=OwnedFiles(owned, account_ids=section.account_ids),
        )
        routes += [Route(path, endpoint=pipeline) for path in endpoint.paths]
    admit = Admit(parts.policy, parts.limiter, section.limits, budget)
    return [*routes, *_errands(section, parts, catalog, authenticate, admit, owned, guards)]


def _errands(
    section: Section,
    parts: Parts,
    catalog: Catalog,
    authenticate: Authenticate,
    admit: Admit,
    owned: Owned,
    guards: ChatGuards,
) -> list[Route]:
    """What is about no one model."""
    upstream = Upstream(parts.http)
    files = Files(section, admit, catalog, owned, upstream, guards)
    batches = Batches(section, admit, catalog, owned, upstream)
    passed = Passthrough(section, admit, catalog, upstream)
    routes = []
    for errands, paths in ((files, files.paths), (batches, batches.paths), (passed, (PASSTHROUGH,))):
        errand = ErrandPipeline(errands, account=parts.account, authenticate=authenticate, admit=admit)
        routes += [Route(path, endpoint=errand) for path in paths]
    return routes
