"""Several keys of one provider: turns by weight, and a rest for one that was refused."""

from collections import Counter

import httpx
import pytest

from llm_gateway.config import KeySection, ProviderSection
from llm_gateway.providers.keys import Credentials, Single, another, credentials, secrets_of
from shared.asgi import Headers
from shared.config import Secret
from shared.errors import UpstreamRefused
from shared.http_client import Reply
from tests.support.clock import FakeClock


def section(*weights: int, **fields: object) -> ProviderSection:
    keys = [KeySection(key=Secret(f"key-{n}"), weight=weight) for n, weight in enumerate(weights)]
    return ProviderSection(base_url="https://api.example/v1", keys=keys, **fields)  # type: ignore[arg-type]


def held(*weights: int, clock: FakeClock | None = None, **fields: object) -> Credentials:
    return credentials(section(*weights, **fields), headers_with, clock or FakeClock())


def headers_with(key: Secret) -> Headers:
    return [(b"authorization", key.reveal().encode())]


def key_of(sent: Headers) -> str:
    return dict(sent)[b"authorization"].decode()


def reply(status: int, **headers: str) -> Reply:
    return Reply(httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}), None)


def test_one_key_is_always_the_same_list() -> None:
    one = credentials(ProviderSection(base_url="https://a/v1", key=Secret("key")), headers_with, FakeClock())
    assert isinstance(one, Single)
    assert one.headers([]) is one.headers([])
    assert one.headers([(b"a", b"b")]) == [(b"authorization", b"key"), (b"a", b"b")]


def test_turns_follow_the_weights_and_are_spread() -> None:
    keys = held(2, 1, 1)
    turns = [key_of(keys.headers([])) for _ in range(400)]
    assert Counter(turns) == {"key-0": 200, "key-1": 100, "key-2": 100}
    assert all(Counter(turns[at : at + 4])["key-0"] == 2 for at in range(0, 400, 4))


def test_what_is_passed_goes_along() -> None:
    assert (b"openai-beta", b"x") in held(1, 1).headers([(b"openai-beta", b"x")])


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_a_refused_key_rests_and_the_others_go_on(status: int) -> None:
    clock = FakeClock()
    keys = held(1, 1, clock=clock, key_cooldown_seconds=30.0)
    sent = keys.headers([])
    assert another(sent, reply(status))
    assert {key_of(keys.headers([])) for _ in range(10)} == {"key-1"}
    clock.advance(30)
    assert {key_of(keys.headers([])) for _ in range(10)} == {"key-0", "key-1"}


def test_the_provider_says_how_long() -> None:
    clock = FakeClock()
    keys = held(1, 1, clock=clock)
    another(keys.headers([]), reply(429, retry_after="7"))
    clock.advance(6.9)
    assert {key_of(keys.headers([])) for _ in range(4)} == {"key-1"}
    clock.advance(0.2)
    assert {key_of(keys.headers([])) for _ in range(4)} == {"key-0", "key-1"}


@pytest.mark.parametrize(("said", "rests"), [("0", 1.0), ("1000000", 3600.0)])
def test_no_provider_makes_it_too_short_or_too_long(said: str, rests: float) -> None:
    clock = FakeClock()
    keys = held(1, 1, clock=clock)
    for _ in range(2):
        another(keys.headers([]), reply(429, retry_after=said))
    with pytest.raises(UpstreamRefused) as caught:
        keys.headers([])
    assert caught.value.retry_after == rests


@pytest.mark.parametrize("status", [400, 404, 408, 500, 503])
def test_what_is_not_the_keys_fault_leaves_it_in_place(status: int) -> None:
    keys = held(1, 1)
    assert not another(keys.headers([]), reply(status))
    assert {key_of(keys.headers([])) for _ in range(4)} == {"key-0", "key-1"}


def test_a_single_key_is_never_set_aside() -> None:
    one = credentials(ProviderSection(base_url="https://a/v1", key=Secret("key")), headers_with, FakeClock())
    assert not another(one.headers([]), reply(429))
    assert key_of(one.headers([])) == "key"


def test_when_none_is_left_it_says_until_when() -> None:
    clock = FakeClock()
    keys = held(1, 1, clock=clock)
    assert another(keys.headers([]), reply(429, retry_after="5"))
    assert not another(keys.headers([]), reply(401))
    with pytest.raises(UpstreamRefused, match="every key") as caught:
        keys.headers([])
    assert (caught.value.retry_after, caught.value.upstream_status, caught.value.retryable) == (
        5.0,
        429,
        True,
    )
    clock.advance(5)
    assert key_of(keys.headers([])) == "key-0"


def test_keys_that_are_all_wrong_are_the_operators_business() -> None:
    keys = held(1, 1)
    for _ in range(2):
        another(keys.headers([]), reply(401))
    with pytest.raises(UpstreamRefused) as caught:
        keys.headers([])
    assert caught.value.upstream_status == 502


def test_a_key_that_comes_back_does_not_make_up_for_lost_time() -> None:
    clock = FakeClock()
    keys = held(1, 1, clock=clock)
    another(keys.headers([]), reply(429, retry_after="60"))
    for _ in range(50):
        keys.headers([])
    clock.advance(60)
    assert Counter(key_of(keys.headers([])) for _ in range(10)) == {"key-0": 5, "key-1": 5}


def test_all_secrets_are_known() -> None:
    found = secrets_of(section(1, 1, headers={"x-a": Secret("secret-header"), "x-b": Secret("short")}))
    assert found == [b"secret-header"]
    long = ProviderSection(
        key=Secret("main-key"),
        access_key=Secret("access-key"),
        secret_key=Secret("secret-key"),
        session_token=Secret("session-token"),
    )
    assert found != secrets_of(long) == [b"main-key", b"access-key", b"secret-key", b"session-token"]
