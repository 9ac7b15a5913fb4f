"""What the stages get to know of a caller's request, cheaply."""

import re
from typing import Any

import msgspec
import pytest
from starlette.routing import compile_path

from llm_gateway.formats.gemini import Gemini
from shared.errors import BadRequest

CONTENTS = [{"role": "user", "parts": [{"text": "How are you?"}]}]
GEMINI = Gemini()


def body(**members: Any) -> bytes:
    return msgspec.json.encode({"contents": CONTENTS, **members})


def matching(path: str) -> list[dict[str, Any]]:
    patterns: list[re.Pattern[str]] = [compile_path(path)[0] for path in GEMINI.paths]
    return [found.groupdict() for pattern in patterns if (found := pattern.match(path))]


@pytest.mark.parametrize(
    "prefix",
    [
        *("/v1", "/v1beta", "/gemini/v1", "/gemini/v1beta", "/v1beta1/publishers/google"),
        "/gemini/v1/projects/acme/locations/global/publishers/google",
    ],
)
def test_the_path_says_model_and_manner(prefix: str) -> None:
    (whole,) = matching(f"{prefix}/models/team/fast:8b:generateContent")
    (stream,) = matching(f"{prefix}/models/fast:streamGenerateContent")
    assert GEMINI.read(body(), whole).model == "team/fast:8b"
    assert not GEMINI.read(body(), whole).stream
    assert GEMINI.read(body(), stream).model == "fast"
    assert GEMINI.read(body(), stream).stream


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/gpt-4o", "/v1/models/ft:gpt-4o:org::1", "/v1/models/fast:countTokens"]
)
def test_other_paths_of_models_are_none_of_its(path: str) -> None:
    assert not matching(path)


def test_a_request_is_passed_on_as_it_came() -> None:
    ask = GEMINI.read(body(generationConfig={"temperature": 1}), {"model": "fast"})
    assert GEMINI.body_for(ask, "gemini-2.5-flash", count=True) is ask.body


def test_a_model_in_the_body_becomes_the_providers() -> None:
    ask = GEMINI.read(body(model="models/fast"), {"model": "fast"})
    sent = msgspec.json.decode(GEMINI.body_for(ask, "gemini-2.5-flash", count=True))
    assert sent == {"contents": CONTENTS, "model": "models/gemini-2.5-flash"}


def test_a_body_may_not_name_another_model_than_the_path() -> None:
    with pytest.raises(BadRequest, match="model must be the one of the path"):
        GEMINI.read(body(model="models/expensive"), {"model": "fast"})


@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_what_may_be_answered_at_most_is_read_in_both_spellings(name: str) -> None:
    spelled = {"maxOutputTokens": 50, "candidate_count": 2}
    assert GEMINI.read(body(**{name: spelled}), {"model": "fast"}).tokens_out == 100


@pytest.mark.parametrize(
    "twice",
    [
        {"generationConfig": {"maxOutputTokens": 1}, "generation_config": {"maxOutputTokens": 9}},
        {"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9}},
    ],
)
def test_one_member_in_two_spellings_is_refused(twice: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="two spellings"):
        GEMINI.read(body(**twice), {"model": "fast"})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (b"[]", "must be a JSON object"),
        (b"{", "not valid JSON"),
        (b"{}", "contents must be a list"),
        (b'{"contents": "hello"}', "contents must be a list"),
        (b'{"contents": [], "contents": []}', "stands twice"),
        (body(generationConfig={"maxOutputTokens": -1}), "maxOutputTokens"),
        (body(generationConfig={"maxOutputTokens": "many"}), "maxOutputTokens"),
        (body(generationConfig=[1]), "generationConfig"),
    ],
)
def test_what_is_no_request_is_refused(wrong: bytes, told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        GEMINI.read(wrong, {"model": "fast"})


@pytest.mark.parametrize("name", ["", "m" * 300])
def test_a_path_without_a_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="must name a model"):
        GEMINI.read(body(), {"model": name})


def test_an_attached_image_counts_as_an_image_and_not_as_text() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": "A" * 400_000}}
    spaced = b'{"contents": [{"parts": [{"inlineData": {"data": "' + b"A" * 400_000 + b'"}}]}]}'
    for given in (body(contents=[{"parts": [part]}]), spaced):
        assert 1_500 <= GEMINI.read(given, {"model": "fast"}).tokens_in < 1_600


def test_instruction_and_tools_count_too() -> None:
    plain = GEMINI.read(body(), {"model": "fast"}).tokens_in
    told = {"system_instruction": {"parts": [{"text": "x" * 400}]}, "tools": [{"googleSearch": {}}]}
    assert GEMINI.read(body(**told), {"model": "fast"}).tokens_in > plain + 100
