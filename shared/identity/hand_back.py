"""Work that one of our services hands back to the edge for its caller: a model call that an agent answers, a
tool that is an agent. Whether it may be done is asked there anew, for the very same principals.
"""

from shared.identity.principal import Caller, Trace
from shared.identity.signing import Signer
from shared.identity.token import IDENTITY, identity_claims

AUDIENCE = "api_gateway"
_SECONDS = 60


class HandBack:
    """Writes the credential of such a call: an identity token for the edge. It adds nobody to the chain and
    takes nothing from it; what follows hangs below the entry of the call that is handed back.
    """

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def bearer(self, caller: Caller, entry_id: str, trace: Trace) -> str:
        """The value of `authorization`. It is good for the beginning of the call, not for all of it."""
        claims = identity_claims(
            caller,
            issuer=self._signer.issuer,
            audience=AUDIENCE,
            entry_id=entry_id,
            trace=trace,
            ttl=_SECONDS,
        )
        return f"Bearer {self._signer.sign(claims, typ=IDENTITY)}"
