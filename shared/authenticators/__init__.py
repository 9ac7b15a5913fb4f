"""Who is calling: one file a kind of credential, tried in order, and the first responsible one decides.

"Not mine" (None), "refused" (Unauthenticated) and "cannot tell" (Unavailable) are three different answers.
"""

from collections.abc import Sequence
from typing import Protocol

from shared.asgi import Exchange
from shared.authenticators.credential import presented
from shared.errors import Unauthenticated
from shared.identity.principal import Caller


class Authenticator(Protocol):
    """`places` are the headers it looks for its credential in."""

    @property
    def places(self) -> frozenset[bytes]: ...

    async def authenticate(self, exchange: Exchange) -> Caller | None:
        """The caller, None where there is no credential of this kind. Raises Unauthenticated, Unavailable."""
        ...


class Authenticate:
    """The stage: asks `authenticators` in their order. Nobody responsible means nobody is let in. `silent` is
    asked where no header holds a credential: it knows callers by their connection.
    """

    def __init__(self, authenticators: Sequence[Authenticator], silent: Authenticator | None = None) -> None:
        self._authenticators = tuple(authenticators)
        self._silent = silent
        self._places = frozenset[bytes]().union(*(each.places for each in self._authenticators))

    async def __call__(self, exchange: Exchange) -> Caller:
        credentials = presented(exchange, self._places)
        if len(credentials) > 1:
            raise Unauthenticated("this request has two different credentials: send exactly one")
        if credentials:
            for authenticator in self._authenticators:
                caller = await authenticator.authenticate(exchange)
                if caller is not None:
                    return caller
            raise Unauthenticated("this credential is of no kind that is accepted here")
        known = await self._silent.authenticate(exchange) if self._silent is not None else None
        if known is not None:
            return known
        raise Unauthenticated(f"no credentials: send one in {_listed(self._places)}")


def _listed(places: frozenset[bytes]) -> str:
    names = sorted(place.decode() for place in places)
    return " or ".join("authorization (Bearer …)" if name == "authorization" else name for name in names)
