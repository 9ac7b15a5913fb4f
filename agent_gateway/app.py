"""Builds the agent gateway: the one place that knows which parts it is made of."""

from starlette import routing
from starlette.applications import Starlette

from agent_gateway.authorize import Authorize
from agent_gateway.bindings.jsonrpc import JsonRpc
from agent_gateway.cards import Cards
from agent_gateway.catalog import Catalog
from agent_gateway.config import Credential, Section, problems
from agent_gateway.delegate import Delegate
from agent_gateway.forward import Forward
from agent_gateway.pipeline import Pipeline
from agent_gateway.read import Read
from agent_gateway.route import Route
from agent_gateway.show import Show
from agent_gateway.tasks import Tasks
from shared.authenticators import Authenticate, Authenticator
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.identity_token import IdentityToken
from shared.authenticators.virtual_key import VirtualKey
from shared.config import Loaded
from shared.health import public_routes
from shared.parts import Parts
from shared.run import Service

NAME = "agent_gateway"


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The agent gateway's app over opened parts."""
    section, shared = loaded.section, loaded.shared
    extensions = frozenset(section.extensions)
    catalog, binding = Catalog(section.agents), JsonRpc(extensions)
    cards = Cards(parts.http, parts.clock, cap=section.max_card_bytes, seconds=section.card_seconds)
    tasks = Tasks(parts.redis, section.task_seconds)
    route = Route(binding, parts.signer, seconds=shared.identity.delegation_seconds)
    pipeline = Pipeline(
        account=parts.account,
        authenticate=_authenticate(loaded, parts),
        read=Read(catalog, binding, body_cap=section.max_body_bytes),
        authorize=Authorize(parts.policy, parts.limiter),
        cards=cards,
        delegate=Delegate(catalog, cards, max_depth=shared.chain.max_depth),
        rules=section.limits,
        limiter=parts.limiter,
        tasks=tasks,
        route=route,
        forward=Forward(parts.http, parts.clock, binding, tasks, route, reply_cap=section.max_reply_bytes),
        show=Show(catalog, cards, parts.policy, public_url=section.public_url, extensions=extensions),
    )
    return Starlette(routes=[*public_routes(parts), routing.Route("/{path:path}", endpoint=pipeline)])


def _authenticate(loaded: Loaded[Section], parts: Parts) -> Authenticate:
    known: dict[Credential, Authenticator] = {
        "identity": IdentityToken(parts.verifier, audience=NAME),
        "delegation": DelegationToken(parts.verifier, keyring=parts.keyring),
        "key": VirtualKey(parts.keyring, budget=loaded.shared.chain.budget),
    }
    return Authenticate(tuple(known[credential] for credential in loaded.section.accept))


SERVICE = Service(name=NAME, section=Section, problems=problems, build=build)
