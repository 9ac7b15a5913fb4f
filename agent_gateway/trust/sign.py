"""The gateway's own signature under the cards that it serves: whoever trusts the gateway's key set can tell
that a card is the gateway's.
"""

from typing import Any

from shared.card_trust import payload_of
from shared.identity.signing import Signer

_KEPT = 512


class CardSigner:
    """Its keys are at `/.well-known/jwks.json`, by `kid`. A signature is new every time it is made: what a
    card's ETag is taken of must not include it. It is made once for a content while it is remembered.
    """

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._made: dict[tuple[str, bytes], dict[str, str]] = {}

    def __call__(self, card: dict[str, Any]) -> dict[str, Any]:
        """`card` with one signature, the gateway's, in the place of any other."""
        payload = payload_of(card)
        key = (self._signer.kid, payload)
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _KEPT:
                del self._made[next(iter(self._made))]
            protected, signature = self._signer.detached(payload)
            made = self._made[key] = {"protected": protected, "signature": signature}
        return {**card, "signatures": [made]}


def signed(card: dict[str, Any], signer: Signer) -> dict[str, Any]:
    """`card` with the signature of `signer`."""
    return CardSigner(signer)(card)
