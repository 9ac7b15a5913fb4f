"""Who is calling: one file a kind of credential, tried in order, and the first responsible one decides.

"Not mine" (None), "refused" (Unauthenticated) and "cannot tell" (Unavailable) are three different answers.
"""

from collections.abc import Sequence
from typing import Protocol

from shared.asgi import Exchange
from shared.authenticators.credential import Shown, presented
from shared.errors import Unauthenticated
from shared.identity.principal import Caller


class Authenticator(Protocol):
    """`places` are the headers in which its kind of credential may stand."""

    @property
    def places(self) -> frozenset[bytes]: ...

    async def authenticate(self, credential: str) -> Caller | None:
        """The caller, None for a credential of another kind. Raises Unauthenticated, Unavailable."""
        ...


class Silent(Protocol):
    """Knows callers who send no credential by something else."""

    async def authenticate(self, exchange: Exchange) -> Caller | None:
        """The caller, None where it is nobody's. Raises Unauthenticated."""
        ...


class Authenticate:
    """The stage: asks `authenticators` in their order. Nobody responsible means nobody is let in. `silent` is
    asked where no header holds a credential.
    """

    def __init__(self, authenticators: Sequence[Authenticator], silent: Silent | None = None) -> None:
        self._authenticators = tuple(authenticators)
        self._silent = silent
        self._places = frozenset[bytes]().union(*(each.places for each in self._authenticators))

    async def __call__(self, exchange: Exchange) -> Caller:
        """Raises Unauthenticated, Unavailable."""
        return await self._caller(exchange, presented(exchange, self._places))

    async def _caller(self, exchange: Exchange, shown: Shown) -> Caller:
        if len(shown) > 1:
            raise Unauthenticated("this request has two different credentials: send exactly one")
        for credential, places in shown.items():
            for authenticator in self._authenticators:
                if not places.isdisjoint(authenticator.places):
                    caller = await authenticator.authenticate(credential)
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
