"""Whom the certificate of a connection stands for, and whom it does not."""

from typing import Any

import pytest

from shared.asgi import Exchange
from shared.authenticators import Authenticate
from shared.authenticators.client_certificate import ClientCertificate, KnownClient, problems
from shared.clock import Clock
from shared.errors import Unauthenticated
from shared.tls_peer import SCOPE_KEY, PeerCertificate

ALICE = KnownClient(sub="user:alice", tenant="acme", uri="spiffe://acme/alice", team="support")
BILLING = KnownClient(sub="service:billing", tenant="acme", name="billing.acme.test", scope=("model:*",))
BOB = KnownClient(sub="user:bob", tenant="acme", fingerprint="AB:" * 31 + "AB")
LATER = 4_000_000_000


def exchange(peer: PeerCertificate | None, *headers: tuple[bytes, bytes]) -> Exchange:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": list(headers),
        SCOPE_KEY: peer,
    }

    async def never(*_: Any) -> Any:
        raise AssertionError

    return Exchange(scope, never, never)


def peer(*, uris: tuple[str, ...] = (), names: tuple[str, ...] = (), **more: Any) -> PeerCertificate:
    return PeerCertificate(**{"fingerprint": "00" * 32, "until": LATER, **more}, uris=uris, names=names)


STAGE = Authenticate((), ClientCertificate((ALICE, BILLING, BOB), Clock()))


@pytest.mark.parametrize(
    ("shown", "sub"),
    [
        (peer(uris=("spiffe://acme/alice",)), "user:alice"),
        (peer(names=("other.test", "Billing.ACME.test")), "service:billing"),
        (peer(fingerprint="ab" * 32), "user:bob"),
    ],
)
async def test_a_certificate_on_the_list_names_its_principal(shown: PeerCertificate, sub: str) -> None:
    caller = await STAGE(exchange(shown))
    assert (caller.principal.sub, caller.actors, caller.credential) == (sub, (sub,), "certificate")


@pytest.mark.parametrize(
    "shown",
    [
        None,
        peer(),
        peer(subject="user:alice"),
        peer(names=("spiffe://acme/alice",)),
        peer(uris=("spiffe://acme/alice/x",)),
        peer(uris=("spiffe://acme/alice",), names=("billing.acme.test",)),
        peer(uris=("spiffe://acme/alice",), until=1),
    ],
)
async def test_every_other_one_names_nobody(shown: PeerCertificate | None) -> None:
    with pytest.raises(Unauthenticated):
        await STAGE(exchange(shown))


async def test_headers_say_nothing_of_certificates_and_a_credential_there_is_what_counts() -> None:
    said = [
        (b"x-client-cert", b"spiffe://acme/alice"),
        (b"x-forwarded-client-cert", b"URI=spiffe://acme/alice"),
    ]
    with pytest.raises(Unauthenticated, match="no credentials"):
        await STAGE(exchange(None, *said))


def test_a_list_that_is_not_clear_is_a_problem() -> None:
    assert problems("c", [ALICE, BILLING, BOB]) == []
    nobody = KnownClient(sub="user:x", tenant="acme")
    short = KnownClient(sub="user:x", tenant="acme", fingerprint="abcd")
    both = KnownClient(sub="user:x", tenant="acme", uri="spiffe://acme/alice", name="x.test")
    found = problems("c", [ALICE, nobody, short, both])
    assert [problem.partition(":")[0] for problem in found] == [
        "c[1]",
        "c[2].fingerprint",
        "c[3]",
        "c[3].uri",
    ]
