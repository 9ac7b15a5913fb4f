"""The endpoints below `/oauth` where tokens are exchanged, asked about and revoked."""

from starlette.routing import Route

from api_gateway.about_token import AboutToken, Question
from api_gateway.bearers import Bearers
from api_gateway.config import Section
from api_gateway.control import Control
from api_gateway.introspect import PATH as INTROSPECT_PATH
from api_gateway.introspect import Introspection
from api_gateway.oauth import PATH as TOKEN_PATH
from api_gateway.oauth import TokenEndpoint
from api_gateway.revoke import PATH as REVOKE_PATH
from api_gateway.revoke import Revocation
from shared.config import Loaded
from shared.parts import Parts


def token_endpoints(loaded: Loaded[Section], parts: Parts, bearers: Bearers, control: Control) -> list[Route]:
    section = loaded.section

    def about(question: Question) -> AboutToken:
        return AboutToken(
            question,
            account=parts.account,
            bearers=bearers,
            policy=parts.policy,
            limiter=parts.limiter,
            rules=section.limits,
        )

    told = Introspection(bearers, parts.keyring, parts.kill, section.operator_tenant)
    revoked = Revocation(bearers, control, parts.policy, section.operator_tenant)
    return [
        Route(TOKEN_PATH, endpoint=_exchange(loaded, parts, bearers)),
        Route(INTROSPECT_PATH, endpoint=about(told)),
        Route(REVOKE_PATH, endpoint=about(revoked)),
    ]


def _exchange(loaded: Loaded[Section], parts: Parts, bearers: Bearers) -> TokenEndpoint:
    section = loaded.section
    return TokenEndpoint(
        account=parts.account,
        bearers=bearers,
        policy=parts.policy,
        limiter=parts.limiter,
        rules=section.limits,
        signer=parts.signer,
        clock=parts.clock,
        seconds=loaded.shared.identity.delegation_seconds,
        longest=section.oauth.longest_seconds,
        max_depth=loaded.shared.chain.max_depth,
    )
