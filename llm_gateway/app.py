"""Builds the model gateway: the one place that knows which parts it is made of."""

from starlette.applications import Starlette
from starlette.routing import Route

from llm_gateway.authorize import Authorize
from llm_gateway.catalog import Catalog
from llm_gateway.config import Credential, Section, problems
from llm_gateway.formats.openai_chat import OpenAIChat
from llm_gateway.forward import Forward
from llm_gateway.guard import Guard
from llm_gateway.limit import Limit
from llm_gateway.listing import Listing
from llm_gateway.pipeline import Pipeline
from shared.attempts import Breaker
from shared.authenticators import Authenticate, Authenticator
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.identity_token import IdentityToken
from shared.authenticators.virtual_key import VirtualKey
from shared.config import Loaded
from shared.dialects.openai import OpenAI
from shared.health import public_routes
from shared.parts import Parts
from shared.run import Service

# The formats that clients speak, each at its own path.
FORMATS = (OpenAIChat(),)


def build(loaded: Loaded[Section], parts: Parts) -> Starlette:
    """The gateway's app over opened parts."""
    section = loaded.section
    catalog = Catalog(section)
    guards: tuple[Guard, ...] = ()
    authenticate = Authenticate(tuple(_authenticator(kind, parts) for kind in section.accept))
    authorize = Authorize(catalog, parts.policy, parts.limiter)
    limit = Limit(section.limits, parts.limiter, loaded.shared.chain.budget)
    forward = Forward(
        parts.http, Breaker(parts.clock), parts.clock, guards, max_reply_bytes=section.max_reply_bytes
    )
    pipelines = [
        Pipeline(
            spoken,
            account=parts.account,
            authenticate=authenticate,
            authorize=authorize,
            limit=limit,
            guards=guards,
            forward=forward,
            max_body_bytes=section.max_body_bytes,
        )
        for spoken in FORMATS
    ]
    listing = Listing(
        account=parts.account,
        authenticate=authenticate,
        catalog=catalog,
        policy=parts.policy,
        dialect=OpenAI(),
        created=int(parts.clock.now()),
    )
    calls = [
        Route(spoken.path, endpoint=pipeline) for spoken, pipeline in zip(FORMATS, pipelines, strict=True)
    ]
    # Calls first: routes are tried in order.
    app = Starlette(routes=[*calls, *public_routes(parts), Route("/{path:path}", endpoint=listing)])
    # A redirect would answer an unknown caller before it is asked who it is.
    app.router.redirect_slashes = False
    # The account renders every failure: Starlette's own layers would only wrap each message twice more.
    app.middleware_stack = app.router
    return app


def _authenticator(kind: Credential, parts: Parts) -> Authenticator:
    if kind == "identity":
        return IdentityToken(parts.verifier, audience="llm_gateway")
    if kind == "delegation":
        return DelegationToken(parts.verifier, keyring=parts.keyring)
    return VirtualKey(parts.keyring)


SERVICE = Service(name="llm_gateway", section=Section, problems=problems, build=build)
