"""The stage: the first responsible one decides, nobody responsible means no, and one credential a request."""

import pytest

from shared.authenticators import Authenticate
from shared.errors import Unauthenticated, Unavailable
from shared.identity.keys import Keyring
from shared.identity.principal import Caller
from tests.shared.authenticators.world import World, ask

PLACES = ["authorization", "x-api-key", "x-goog-api-key", "api-key"]


async def test_without_credentials_nobody_is_let_in(world: World) -> None:
    with pytest.raises(Unauthenticated, match=r"authorization \(Bearer …\) or x-api-key"):
        await ask(world.at_the_edge, {})
    with pytest.raises(Unauthenticated, match="send one in txn-token"):
        await ask(world.inside, {})


async def test_without_authenticators_nobody_is_let_in(world: World) -> None:
    with pytest.raises(Unauthenticated):
        await ask(Authenticate(()), {"authorization": f"Bearer {world.secret}"})


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "sk-something",
        "Bearer sk-live",
        "Digest x",
        "gsk",
        "Bearer a.b",
        "Bearer gsk",
    ],
)
async def test_a_credential_of_an_unknown_kind_is_refused(world: World, value: str) -> None:
    with pytest.raises(Unauthenticated):
        await ask(world.at_the_edge, {"authorization": value})


@pytest.mark.parametrize("place", PLACES)
async def test_keys_and_delegation_tokens_are_taken_from_the_same_places(world: World, place: str) -> None:
    prefix = "Bearer " if place == "authorization" else ""
    by_key = await ask(world.at_the_edge, {place: prefix + world.secret})
    by_token = await ask(world.at_the_edge, {place: prefix + world.delegation_token()})
    assert (by_key.credential, by_token.credential) == ("key", "delegation")


@pytest.mark.parametrize("spelling", ["bearer ", "BEARER ", "Bearer   ", " Bearer "])
async def test_the_scheme_is_read_as_http_says(world: World, spelling: str) -> None:
    assert (await ask(world.at_the_edge, {"authorization": spelling + world.secret})).credential == "key"


async def test_two_different_credentials_are_refused(world: World) -> None:
    token = world.delegation_token()
    with pytest.raises(Unauthenticated, match="two different"):
        await ask(world.at_the_edge, {"authorization": f"Bearer {world.secret}", "x-api-key": token})
    with pytest.raises(Unauthenticated, match="two different"):
        await ask(world.at_the_edge, {"authorization": "Basic eA==", "x-api-key": world.secret})
    with pytest.raises(Unauthenticated, match="two different"):
        await ask(world.at_the_edge, [("x-api-key", world.secret), ("x-api-key", token)])
    with pytest.raises(Unauthenticated, match="two different"):
        await ask(world.alone, {"txn-token": world.identity_token(), "x-api-key": world.secret})


async def test_one_credential_sent_twice_is_one_credential(world: World) -> None:
    headers = {"authorization": f"Bearer {world.secret}", "x-api-key": world.secret}
    assert (await ask(world.at_the_edge, headers)).credential == "key"


async def test_the_edge_never_reads_an_identity_token(world: World) -> None:
    token = world.identity_token(aud="api_gateway")
    with pytest.raises(Unauthenticated, match="no credentials"):
        await ask(world.at_the_edge, {"txn-token": token})
    caller = await ask(world.at_the_edge, {"txn-token": token, "x-api-key": world.secret})
    assert (caller.credential, caller.hop, caller.parent) == ("key", 0, "")
    for place in PLACES:
        with pytest.raises(Unauthenticated):
            await ask(world.at_the_edge, {place: f"Bearer {token}"})


async def test_an_inner_service_takes_nothing_but_identity_tokens(world: World) -> None:
    for credential in (world.secret, world.delegation_token()):
        for place in (*PLACES, "txn-token"):
            with pytest.raises(Unauthenticated):
                await ask(world.inside, {place: credential})
            with pytest.raises(Unauthenticated):
                await ask(world.inside, {place: f"Bearer {credential}"})


async def test_an_inner_service_that_stands_alone_takes_all_three(world: World) -> None:
    assert (await ask(world.alone, {"txn-token": world.identity_token()})).credential == "identity"
    assert (await ask(world.alone, {"x-api-key": world.delegation_token()})).credential == "delegation"
    assert (await ask(world.alone, {"x-api-key": world.secret})).credential == "key"


class Asked:
    """Knows nobody, and notes whom it is asked about."""

    def __init__(self, *places: bytes) -> None:
        self.places = frozenset(places)
        self.asked: list[str] = []

    async def authenticate(self, credential: str) -> Caller | None:
        self.asked.append(credential)
        return None


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"a": "x"}, (["x"], [])),
        ({"b": "x"}, ([], ["x"])),
        ({"a": "x", "b": "x"}, (["x"], ["x"])),
        ({"a": "x", "b": "y"}, ([], [])),
        ({"c": "x"}, ([], [])),
    ],
)
async def test_each_is_asked_about_what_stands_in_its_own_headers(
    headers: dict[str, str], asked: tuple[list[str], list[str]]
) -> None:
    first, second = Asked(b"a"), Asked(b"b")
    with pytest.raises(Unauthenticated):
        await ask(Authenticate((first, second)), headers)
    assert (first.asked, second.asked) == asked


async def test_who_cannot_tell_does_not_pass_the_question_on(world: World) -> None:
    blind = Authenticate((type(world.key)(Keyring(world.clock)), world.delegation))
    with pytest.raises(Unavailable):
        await ask(blind, {"x-api-key": world.secret})
    assert (await ask(blind, {"x-api-key": world.delegation_token()})).credential == "delegation"
