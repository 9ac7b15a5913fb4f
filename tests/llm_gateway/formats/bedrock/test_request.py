"""What of a request Bedrock is told, and what is named because it cannot be."""

from typing import Any

import pytest

from llm_gateway.chat.parts import Audio, Image, Text
from llm_gateway.chat.request import Output
from shared.errors import BadRequest
from tests.llm_gateway.formats.bedrock.samples import CLAUDE, LLAMA, WEATHER, WIRE, chat, dropped, say, sent


def test_a_plain_question() -> None:
    assert sent() == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


def test_the_model_stands_in_the_address_and_streaming_too() -> None:
    assert sent(stream=True) == sent()


def test_settings_have_names_of_their_own() -> None:
    body = sent(max_tokens=9, temperature=0.5, stop=("END", ""), model=LLAMA, top_p=0.9)
    assert body["inferenceConfig"] == {
        "maxTokens": 9,
        "temperature": 0.5,
        "topP": 0.9,
        "stopSequences": ["END"],
    }


def test_a_temperature_beyond_its_scale_is_the_highest_there_is_and_named() -> None:
    assert sent(temperature=1.5)["inferenceConfig"] == {"temperature": 1.0}
    assert dropped(temperature=1.5) == ("temperature",)


def test_what_the_system_says_first_stands_apart() -> None:
    body = sent(
        say("system", "Be brief."), say("system", Text(text="Be kind.", cache_point=True)), say("user", "Hi")
    )
    assert body["system"] == [
        {"text": "Be brief."},
        {"text": "Be kind."},
        {"cachePoint": {"type": "default"}},
    ]
    assert len(body["messages"]) == 1


def test_what_the_system_says_later_keeps_its_place() -> None:
    body = sent(say("user", "Hi"), say("assistant", "Hello"), say("system", "In French!"), say("user", "Bye"))
    assert body["messages"][2]["content"] == [{"text": "<system>\nIn French!\n</system>"}, {"text": "Bye"}]
    assert "system" not in body


def test_where_only_the_system_has_spoken_it_is_what_is_answered() -> None:
    assert sent(say("system", "Tell a joke.")) == {
        "messages": [{"role": "user", "content": [{"text": "Tell a joke."}]}]
    }


def test_the_system_speaks_in_text_only() -> None:
    messages = (say("system", "See:", Image(data="iVBORw0", media_type="image/png")), say("user", "Hi"))
    assert dropped(*messages) == ("system.image",)


def test_neighbours_of_one_role_are_one_message() -> None:
    body = sent(
        say("user", "a"), say("user", "b"), say("assistant", "c"), say("assistant", "d"), say("user", "e")
    )
    assert [len(message["content"]) for message in body["messages"]] == [2, 2, 1]


@pytest.mark.parametrize("nothing", ["", " \n\t"])
def test_content_that_says_nothing_is_left_out(nothing: str) -> None:
    body = sent(say("user", "a", nothing), say("assistant", nothing), say("user", "b"))
    assert body["messages"] == [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]


def test_a_request_without_anything_to_answer_is_refused() -> None:
    with pytest.raises(BadRequest, match="messages"):
        sent(say("user", ""))


def test_json_is_wished_for_in_words_and_with_a_schema_promised() -> None:
    assert "JSON object" in sent(output=Output(kind="json"))["system"][-1]["text"]
    body = sent(output=Output(kind="schema", name="weather", schema=WEATHER))
    assert body["outputConfig"] == {
        "textFormat": {
            "type": "json_schema",
            "structure": {
                "jsonSchema": {
                    "name": "weather",
                    "schema": '{"type":"object","properties":{"city":{"type":"string"}},'
                    '"required":["city"],"additionalProperties":false}',
                }
            },
        }
    }


@pytest.mark.parametrize("tier", ["default", "flex", "priority", "reserved"])
def test_service_tiers_that_it_has(tier: str) -> None:
    assert sent(service_tier=tier)["serviceTier"] == {"type": tier}


@pytest.mark.parametrize(("tier", "lost"), [("auto", ()), ("", ()), ("scale", ("service_tier",))])
def test_service_tiers_that_it_has_not(tier: str, lost: tuple[str, ...]) -> None:
    assert "serviceTier" not in sent(service_tier=tier)
    assert dropped(service_tier=tier) == lost


def test_metadata_goes_into_the_accounts_log_where_it_may() -> None:
    assert sent(metadata={"team": "a b/c"})["requestMetadata"] == {"team": "a b/c"}
    for metadata in ({"team": "ä"}, {"": "x"}, {str(n): "x" for n in range(17)}, {"a": "x" * 257}):
        assert dropped(metadata=metadata) == ("metadata",)


@pytest.mark.parametrize(
    "asked",
    [
        {"seed": 0},
        {"n": 2},
        {"presence_penalty": 0.5},
        {"frequency_penalty": -0.5},
        {"logprobs": 0},
        {"user": "u-1"},
    ],
    ids=str,
)
def test_what_there_are_no_words_for_is_named(asked: dict[str, Any]) -> None:
    assert dropped(**asked) == tuple(asked)


@pytest.mark.parametrize("asked", [{"n": 1}, {"presence_penalty": 0.0}, {"frequency_penalty": 0.0}], ids=str)
def test_what_asks_for_nothing_is_not_missed(asked: dict[str, Any]) -> None:
    assert dropped(**asked) == ()


def test_members_of_the_callers_format_only_are_named() -> None:
    assert dropped(extra={"logit_bias": {"1": 2}, "store": True}) == ("extra.logit_bias", "extra.store")


def test_names_of_speakers_are_named_once() -> None:
    assert dropped(say("user", "a", name="ann"), say("user", "b", name="bob")) == ("message.name",)


def test_images_are_bytes_of_a_known_kind() -> None:
    body = sent(say("user", Image(data="/9j/4AAQ"), Image(data="AAAA", media_type="image/webp")))
    assert body["messages"][0]["content"] == [
        {"image": {"format": "jpeg", "source": {"bytes": "/9j/4AAQ"}}},
        {"image": {"format": "webp", "source": {"bytes": "AAAA"}}},
    ]


def test_images_in_its_own_store_need_no_bytes() -> None:
    [image] = sent(say("user", Image(url="s3://bucket/cat.JPG")))["messages"][0]["content"]
    assert image == {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/cat.JPG"}}}}


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        (Image(url="https://example.com/cat.png"), "image.url"),
        (Image(data="AAAA", media_type="image/heic"), "image.media_type"),
        (Image(data="iVBORw0", detail="high"), "image.detail"),
        (Audio(data="AAAA", media_type="audio/midi"), "audio.media_type"),
    ],
    ids=str,
)
def test_media_that_it_cannot_take_are_named(part: Image | Audio, lost: str) -> None:
    assert dropped(say("user", "Look:", part)) == (lost,)


def test_recordings() -> None:
    [part] = sent(say("user", Audio(data="AAAA", media_type="audio/mpeg")))["messages"][0]["content"]
    assert part == {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}}


def test_the_wire_hands_it_over_as_it_is() -> None:
    outbound = WIRE.request(chat(seed=1), CLAUDE)
    assert outbound.dropped == ("seed",)
    assert outbound.body == b'{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}'
