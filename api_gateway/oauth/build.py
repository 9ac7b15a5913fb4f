"""Puts the endpoints below `/oauth` together."""

from starlette.routing import Route

from api_gateway.config import Section
from api_gateway.control import Control
from api_gateway.oauth.about_token import AboutToken
from api_gateway.oauth.bearers import Bearers
from api_gateway.oauth.frame import OAuthFrame
from api_gateway.oauth.introspect import PATH as INTROSPECT_PATH
from api_gateway.oauth.introspect import Introspection
from api_gateway.oauth.revoke import PATH as REVOKE_PATH
from api_gateway.oauth.revoke import Revocation
from api_gateway.oauth.token import PATH as TOKEN_PATH
from api_gateway.oauth.token import TokenEndpoint
from shared.config import Loaded
from shared.parts import Parts


def token_endpoints(loaded: Loaded[Section], parts: Parts, bearers: Bearers, control: Control) -> list[Route]:
    section = loaded.section
    frame = OAuthFrame(
        account=parts.account, policy=parts.policy, limiter=parts.limiter, rules=section.limits
    )
    exchange = TokenEndpoint(
        frame=frame,
        bearers=bearers,
        signer=parts.signer,
        clock=parts.clock,
        seconds=loaded.shared.identity.delegation_seconds,
        longest=section.oauth.longest_seconds,
        max_depth=loaded.shared.chain.max_depth,
    )
    told = Introspection(bearers, parts.keyring, parts.kill, section.operator_tenant)
    revoked = Revocation(bearers, control, frame, section.operator_tenant)
    return [
        Route(TOKEN_PATH, endpoint=exchange),
        Route(INTROSPECT_PATH, endpoint=AboutToken(told, frame, bearers)),
        Route(REVOKE_PATH, endpoint=AboutToken(revoked, frame, bearers)),
    ]
