"""What an inner gateway takes where it stands alone: the kinds of credential that its section lists under
`accept`.
"""

from collections.abc import Sequence

from shared.authenticators import Authenticate, Authenticator
from shared.authenticators.credential import Kind
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.identity_token import IdentityToken
from shared.authenticators.oidc import Oidc
from shared.authenticators.virtual_key import VirtualKey
from shared.parts import Parts


def accepted(kinds: Sequence[Kind], parts: Parts) -> Authenticate:
    """The stage, asking in the order of `kinds`. Whoever starts a chain here gets the configured budget."""
    budget = parts.shared.chain.budget
    known: dict[Kind, Authenticator] = {
        "identity": IdentityToken(parts.verifier, audience=parts.service),
        "delegation": DelegationToken(parts.verifier, keyring=parts.keyring),
        "key": VirtualKey(parts.keyring, budget),
        "oidc": Oidc(parts.issuers, budget),
    }
    return Authenticate([known[kind] for kind in kinds])
