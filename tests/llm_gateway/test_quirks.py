"""Requests made to fit a provider, byte for byte where nothing has to change."""

from typing import Any

import msgspec
import pytest

from llm_gateway.formats import Outbound
from llm_gateway.quirks import Quirks, fitted

MESSAGES = [{"role": "user", "content": "Hi"}]
ALL = Quirks(
    renames={"max_completion_tokens": "max_tokens"},
    removes=("seed", "logit_bias", "n", "logprobs"),
    system_role=True,
    nameless=True,
    schema_only=True,
)


def outbound(*, dropped: tuple[str, ...] = (), **members: Any) -> Outbound:
    body = {"model": "m", "messages": MESSAGES} | members
    return Outbound(body=msgspec.json.encode(body), dropped=dropped)


def fit(quirks: Quirks, **members: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = fitted(quirks, "openai_chat", outbound(**members))
    return msgspec.json.decode(found.body), found.dropped


@pytest.mark.parametrize("quirks", [None, Quirks(), ALL], ids=str)
def test_a_request_that_fits_is_the_same_object(quirks: Quirks | None) -> None:
    given = outbound(temperature=0.5)
    assert fitted(quirks, "openai_chat", given) is given


def test_a_word_in_a_text_changes_nothing() -> None:
    given = outbound(messages=[{"role": "user", "content": 'say "seed" and "developer"'}])
    assert fitted(ALL, "openai_chat", given) is given


def test_other_formats_are_left_alone() -> None:
    given = outbound(seed=1)
    assert fitted(ALL, "openai_responses", given) is given


def test_members_are_renamed() -> None:
    body, dropped = fit(ALL, max_completion_tokens=5)
    assert (body["max_tokens"], dropped) == (5, ())
    assert "max_completion_tokens" not in body


def test_the_member_that_it_knows_wins() -> None:
    assert fit(ALL, max_completion_tokens=5, max_tokens=7)[0]["max_tokens"] == 7


def test_members_are_removed_and_named_as_everywhere() -> None:
    body, dropped = fit(ALL, seed=1, logit_bias={"1": 2}, n=2, logprobs=True)
    assert body == {"model": "m", "messages": MESSAGES}
    assert dropped == ("seed", "extra.logit_bias", "n", "logprobs")


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("parallel_tool_calls", "tool_choice.parallel"),
        ("reasoning_effort", "reasoning.effort"),
        ("response_format", "output"),
        ("user", "user"),
        ("store", "extra.store"),
    ],
)
def test_neutral_names(member: str, name: str) -> None:
    assert fit(Quirks(removes=(member,)), **{member: "x"})[1] == (name,)


@pytest.mark.parametrize(
    ("member", "idle"),
    [
        ("n", 1),
        ("logprobs", False),
        ("presence_penalty", 0),
        ("seed", None),
        ("logit_bias", {}),
        ("store", False),
    ],
)
def test_what_asks_for_nothing_is_not_missed(member: str, idle: Any) -> None:
    body, dropped = fit(Quirks(removes=(member,)), **{member: idle})
    assert (set(body), dropped) == ({"model", "messages"}, ())


def test_what_was_dropped_before_is_still_named() -> None:
    found = fitted(ALL, "openai_chat", outbound(dropped=("thinking",), seed=1))
    assert found.dropped == ("thinking", "seed")


def test_values_that_stay_are_the_bytes_that_they_were() -> None:
    body = b'{"model":"m","temperature":1.0e-2,"seed":1,"messages":[ {"role": "user","content":"\\u00e4"} ]}'
    found = fitted(ALL, "openai_chat", Outbound(body=body))
    assert (
        found.body
        == b'{"model":"m","temperature":1.0e-2,"messages":[ {"role": "user","content":"\\u00e4"} ]}'
    )


def test_developers_are_the_system() -> None:
    body, dropped = fit(ALL, messages=[{"role": "developer", "content": "Be brief."}, *MESSAGES])
    assert (body["messages"][0]["role"], dropped) == ("system", ())


def test_names_of_speakers_are_named() -> None:
    messages = [
        {"role": "user", "content": "Hi", "name": "ann"},
        {"role": "user", "content": "Ho", "name": "bob"},
    ]
    body, dropped = fit(ALL, messages=messages, tools=[{"type": "function", "function": {"name": "weather"}}])
    assert (body["messages"][0], dropped) == (MESSAGES[0], ("message.name",))
    assert body["tools"][0]["function"]["name"] == "weather"


def test_text_in_parts_becomes_one_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    image = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    messages = [{"role": "user", "content": parts}, {"role": "user", "content": image}]
    body, _ = fit(Quirks(flat_text=True), messages=messages)
    assert [message["content"] for message in body["messages"]] == ["a\nb", image]


def test_neighbours_are_joined_where_roles_must_alternate() -> None:
    call: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        call,
        {"role": "assistant", "content": "c"},
    ]
    body, _ = fit(Quirks(alternate=True), messages=messages)
    assert body["messages"] == [{"role": "user", "content": "a\n\nb"}, *messages[2:]]


def test_json_with_and_without_a_schema() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    body, dropped = fit(Quirks(object_only=True), response_format=schema)
    assert (body["response_format"], dropped) == ({"type": "json_object"}, ("output.schema",))
    body, dropped = fit(ALL, response_format={"type": "json_object"})
    assert (set(body), dropped) == ({"model", "messages"}, ("output",))
    assert fit(ALL, response_format=schema)[1] == ()


def test_messages_that_make_no_sense_are_the_providers_business() -> None:
    given = outbound(messages=["developer", 7])
    assert fitted(ALL, "openai_chat", given) is given
