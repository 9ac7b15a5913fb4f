"""Stage: who calls? Which credentials are believed here, and whom they are asked of first."""

from api_gateway.config import Section
from api_gateway.oauth.bearers import Bearers
from api_gateway.slow_down import Refused, SlowDown
from shared.authenticators.client_certificate import ClientCertificate
from shared.authenticators.delegation_token import DelegationToken
from shared.authenticators.handed_back import HandedBack
from shared.authenticators.oidc import Oidc
from shared.authenticators.virtual_key import VirtualKey
from shared.config import Loaded
from shared.parts import Parts


def believed(loaded: Loaded[Section], parts: Parts) -> Bearers:
    """The credentials that stand in a header, and in the bodies of questions about tokens."""
    budget = loaded.shared.chain.budget
    return Bearers(
        # Agents call back with what agent_gateway handed them, or with what they got for that here.
        delegation=DelegationToken(
            parts.verifier, keyring=parts.keyring, issuers=("agent_gateway", parts.signer.issuer)
        ),
        key=VirtualKey(parts.keyring, budget),
        oidc=Oidc(parts.issuers, budget, reserved=(loaded.section.operator_tenant,)),
        refused=Refused(parts.clock),
    )


def authentication(loaded: Loaded[Section], parts: Parts, bearers: Bearers) -> SlowDown:
    """The stage, for one process. What comes in a header counts before the certificate of the connection."""
    clients = loaded.section.client_certificates
    silent = ClientCertificate(clients, parts.clock, loaded.shared.chain.budget) if clients else None
    handed_back = HandedBack(parts.verifier, keyring=parts.keyring)
    return SlowDown((handed_back, *bearers.kinds), silent, refused=bearers.refused)
