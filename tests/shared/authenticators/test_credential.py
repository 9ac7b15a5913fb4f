"""Reading credentials out of headers."""

import pytest

from shared.authenticators.credential import KEY_PLACES, presented
from tests.support.exchange import exchange


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, set()),
        ({"authorization": "Bearer x"}, {"x"}),
        ({"authorization": "bearer x "}, {"x"}),
        ({"authorization": "Bearer"}, {"Bearer"}),
        ({"authorization": "Basic x"}, {"Basic x"}),
        ({"x-api-key": " x "}, {"x"}),
        ({"x-api-key": "Bearer x"}, {"Bearer x"}),
        ({"x-api-key": ""}, set()),
        ({"authorization": "Bearer x", "api-key": "x"}, {"x"}),
        ({"authorization": "Bearer x", "x-goog-api-key": "y"}, {"x", "y"}),
        ({"cookie": "session=1", "txn-token": "t"}, set()),
    ],
    ids=range(11),
)
def test_credentials_are_collected_from_the_places_that_are_asked(
    headers: dict[str, str], found: set[str]
) -> None:
    assert set(presented(exchange(headers=headers), KEY_PLACES)) == found


def test_a_credential_is_told_with_the_headers_it_stands_in() -> None:
    one = exchange(headers={"authorization": "Bearer x", "api-key": "x", "x-api-key": "y"})
    assert presented(one, KEY_PLACES) == {"x": {b"authorization", b"api-key"}, "y": {b"x-api-key"}}


def test_other_places_are_not_looked_at() -> None:
    assert presented(exchange(headers={"txn-token": "t", "x-api-key": "k"}), frozenset((b"txn-token",))) == {
        "t": {b"txn-token"}
    }
