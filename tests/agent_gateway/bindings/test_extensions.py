"""An extension that is not on the list passes in no way: not in a header, a message, or metadata."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from agent_gateway.bindings.extensions import Extensions
from shared.errors import BadRequest
from tests.support.exchange import exchange

GOOD, EVIL = "https://e.example/allowed", "https://e.example/allowed-not"
PARAMS: dict[str, Any] = {
    "message": {
        "messageId": "m",
        "parts": [],
        "extensions": [GOOD, EVIL, GOOD],
        "metadata": {GOOD: 1, f"{GOOD}/deep": 2, EVIL: 3, "urn:x:y": 4, "plain": 5, "a:b": 6},
    },
    "metadata": {EVIL: 1, "skill": "talk"},
}


def _cleaned(extensions: Extensions, params: Any = PARAMS) -> Any:
    raw = {name: Raw(msgspec.json.encode(value)) for name, value in params.items()}
    return msgspec.json.decode(msgspec.json.encode(extensions.cleaned(raw)))


@pytest.mark.parametrize("header", ["A2A-Extensions", "X-A2A-Extensions"])
def test_only_those_on_the_list_go_on_each_once(header: str) -> None:
    asked = exchange(headers={header: f"{EVIL}, {GOOD},{GOOD}"})
    assert Extensions([GOOD]).asked(asked) == (GOOD,)
    assert Extensions([GOOD]).asked(exchange()) == ()


def test_a_second_header_smuggles_nothing_past_the_first() -> None:
    doubled = exchange()
    doubled.headers = [(b"a2a-extensions", GOOD.encode()), (b"x-a2a-extensions", EVIL.encode())]
    assert Extensions([GOOD]).asked(doubled) == (GOOD,)


def test_a_message_loses_what_is_not_on_the_list_and_nothing_else() -> None:
    found = _cleaned(Extensions([GOOD]))
    assert found["message"]["extensions"] == [GOOD]
    assert found["message"]["metadata"] == {GOOD: 1, f"{GOOD}/deep": 2, "plain": 5, "a:b": 6}
    assert found["metadata"] == {"skill": "talk"}


def test_where_unknown_ones_are_refused_the_code_says_so() -> None:
    strict = Extensions([GOOD], "refuse")
    with pytest.raises(BadRequest) as raised:
        strict.asked(exchange(headers={"A2A-Extensions": EVIL}))
    assert raised.value.code == -32008
    for params in (PARAMS, {"metadata": {EVIL: 1}}):
        with pytest.raises(BadRequest):
            _cleaned(strict, params)
    assert strict.asked(exchange(headers={"A2A-Extensions": GOOD})) == (GOOD,)


def test_a_message_without_any_is_passed_on_byte_for_byte() -> None:
    raw = Raw(b'{ "messageId":"m", "parts":[ ] }')
    assert Extensions([GOOD]).cleaned({"message": raw})["message"] is raw
