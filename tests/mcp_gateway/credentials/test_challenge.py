"""What servers say in `WWW-Authenticate`, however they write it."""

import pytest

from mcp_gateway.credentials.challenge import Challenge, read_challenge

META = "https://s.example/.well-known/oauth-protected-resource"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, Challenge()),
        ("", Challenge()),
        ("Basic realm=x", Challenge()),
        ("Bearer", Challenge()),
        ('Bearer error="invalid_token"', Challenge(error="invalid_token")),
        ("bearer error=insufficient_scope, scope=a", Challenge("insufficient_scope", ("a",))),
        (f'Basic realm="x", Bearer realm="y", resource_metadata="{META}"', Challenge("", (), META)),
        (f'Bearer resource_metadata="{META}", scope="a b  a"', Challenge("", ("a", "b"), META)),
        (r'Bearer realm="a \", error=x", error="y"', Challenge("y")),
        ('Bearer scope="a\x01 b", error="x"', Challenge("x", ("b",))),
        ('Bearer error="first", error="second"', Challenge("first")),
    ],
)
def test_a_challenge_is_read(value: str | None, read: Challenge) -> None:
    assert read_challenge(value) == read


def test_one_that_never_ends_takes_no_time() -> None:
    assert read_challenge("Bearer " + 'a="' * 100_000) == Challenge()
    assert len(read_challenge(f'Bearer scope="{" ".join(map(str, range(1000)))}"').scopes) == 64
