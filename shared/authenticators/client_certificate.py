"""Clients that are known by the certificate of their own connection: an allow-list, never a header.

The TLS of our listener has verified it (shared/tls_peer.py); behind somebody else's TLS there is none.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from shared.asgi import Exchange
from shared.clock import Clock
from shared.errors import Unauthenticated
from shared.identity.principal import Caller, ChainBudget, Principal
from shared.ledger.entry import new_id
from shared.tls_peer import SCOPE_KEY, PeerCertificate

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class KnownClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a certificate stands for. It is known by exactly one of: `uri` (an alternative name, such as a
    SPIFFE id), `name` (an alternative DNS name), `fingerprint` (SHA-256 of the certificate, in hex).
    """

    sub: str
    tenant: str
    uri: str = ""
    name: str = ""
    fingerprint: str = ""
    team: str = ""
    project: str = ""
    tier: str = ""
    scope: tuple[str, ...] = ()

    @property
    def marks(self) -> list[tuple[str, str]]:
        plain = self.fingerprint.replace(":", "").lower()
        found = [("uri", self.uri), ("name", self.name.lower()), ("fingerprint", plain)]
        return [mark for mark in found if mark[1]]


class ClientCertificate:
    """`budget` is what any one chain may do."""

    def __init__(
        self,
        clients: Sequence[KnownClient],
        clock: Clock,
        budget: ChainBudget = ChainBudget(),  # noqa: B008  it is frozen
    ) -> None:
        self._clock = clock
        self._budget = budget
        self._known = {mark: _principal(client) for client in clients for mark in client.marks}

    async def authenticate(self, exchange: Exchange) -> Caller | None:
        peer: PeerCertificate | None = exchange.scope.get(SCOPE_KEY)
        if peer is None:
            return None
        if peer.until <= self._clock.now():
            raise Unauthenticated("this client certificate has expired since the connection was made")
        found = {self._known[mark] for mark in _marks(peer) if mark in self._known}
        if not found:
            raise Unauthenticated("this client certificate is of nobody who is known here")
        if len(found) > 1:
            raise Unauthenticated("this client certificate has the names of several: use one for each")
        if _of_a_foreign_page(exchange):
            raise Unauthenticated(
                "pages of other origins cannot call by the certificate of the browser that shows them"
            )
        principal = found.pop()
        return Caller(
            principal=principal,
            actors=(principal.sub,),
            chain=new_id(),
            credential="certificate",
            budget=self._budget,
        )


def problems(path: str, clients: Sequence[KnownClient]) -> list[str]:
    """What is wrong with an allow-list, as `path: problem`."""
    found: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for place, client in enumerate(clients):
        where = f"{path}[{place}]"
        if len(client.marks) != 1:
            found.append(f"{where}: needs exactly one of uri, name and fingerprint")
        for mark in client.marks:
            first = seen.setdefault(mark, place)
            if first != place:
                found.append(f"{where}.{mark[0]}: stands in {path}[{first}] already")
            if mark[0] == "fingerprint" and not _FINGERPRINT.fullmatch(mark[1]):
                found.append(f"{where}.fingerprint: must be the 64 hex digits of a SHA-256")
    return found


def _of_a_foreign_page(exchange: Exchange) -> bool:
    """Whether a browser sends this for a page that is none of ours. It shows its certificate to whomever any
    page calls, without asking; of WebSockets the route's own list of origins decides. Raises BadRequest.
    """
    if exchange.scope["type"] == "websocket":
        return False
    origin, site = exchange.header("origin"), exchange.header("sec-fetch-site")
    ours = f"{exchange.scope.get('scheme', 'https')}://{exchange.header('host') or ''}"
    return site not in (None, "same-origin", "none") or (
        origin is not None and origin.lower() != ours.lower()
    )


def _marks(peer: PeerCertificate) -> list[tuple[str, str]]:
    named = [("uri", uri) for uri in peer.uris] + [("name", name.lower()) for name in peer.names]
    return [*named, ("fingerprint", peer.fingerprint)]


def _principal(client: KnownClient) -> Principal:
    return Principal(
        sub=client.sub,
        tenant=client.tenant,
        team=client.team,
        project=client.project,
        tier=client.tier,
        scope=client.scope,
    )
