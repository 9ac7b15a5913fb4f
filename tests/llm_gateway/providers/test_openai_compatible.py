"""What a provider is told, and what its refusals mean here."""

import httpx
import msgspec
import pytest

from llm_gateway.config import KeySection, ProviderSection
from llm_gateway.known import table
from llm_gateway.providers.keys import another
from llm_gateway.providers.openai_compatible import OpenAICompatible
from llm_gateway.quirks import Quirks
from shared.config import Secret
from shared.http_client import Reply

KEY = "sk-provider-1234567890"


def provider(name: str = "example", **fields: object) -> OpenAICompatible:
    section = {"base_url": "https://api.example/v1/", "key": Secret(KEY)} | fields
    return OpenAICompatible(name, ProviderSection(**section))  # type: ignore[arg-type]


def headers(one: OpenAICompatible, *passed: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    return dict(one.headers(list(passed), address="", body=b""))


def reply(status: int, **headers: str) -> Reply:
    return Reply(httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}), None)


def test_a_call_goes_to_the_path_that_all_of_them_have() -> None:
    assert provider().wires == ("openai_chat",)
    assert provider().address("openai_chat", "any", stream=True) == "https://api.example/v1/chat/completions"


def test_some_have_responses_too() -> None:
    one = provider(wires=("openai_chat", "openai_responses"))
    assert one.wires == ("openai_chat", "openai_responses")
    assert one.address("openai_responses", "any", stream=False) == "https://api.example/v1/responses"


def test_a_path_may_be_another_one() -> None:
    one = provider(paths={"openai_chat": "/text/chatcompletion_v2"})
    assert one.address("openai_chat", "any", stream=False) == "https://api.example/v1/text/chatcompletion_v2"


def test_the_key_is_a_bearer_unless_the_provider_wants_it_otherwise() -> None:
    assert headers(provider())[b"authorization"] == b"Bearer " + KEY.encode()
    named = headers(provider(key_header="api-key", key_prefix=""))
    assert named[b"api-key"] == KEY.encode()
    assert b"authorization" not in named


def test_a_provider_without_a_key_gets_none() -> None:
    assert b"authorization" not in headers(provider(key=Secret("")))


def test_headers_of_its_own_and_what_is_passed_go_out() -> None:
    sent = headers(provider(headers={"x-project": Secret("p-1")}), (b"openai-beta", b"x"))
    assert (sent[b"x-project"], sent[b"openai-beta"]) == (b"p-1", b"x")


def test_nothing_is_made_anew_for_a_call_with_one_key() -> None:
    one = provider()
    assert one.headers([], address="", body=b"") is one.headers([], address="", body=b"")


def test_several_keys_take_turns_and_none_of_them_comes_back() -> None:
    keys = [KeySection(key=Secret(f"sk-of-several-{n}")) for n in (1, 2)]
    one = provider(key=Secret(""), keys=keys)
    sent = [one.headers([], address="", body=b"") for _ in range(2)]
    assert {dict(each)[b"authorization"] for each in sent} == {
        b"Bearer sk-of-several-1",
        b"Bearer sk-of-several-2",
    }
    assert another(sent[0], reply(401))
    assert one.redacted(b"sk-of-several-1 sk-of-several-2") == b"*** ***"


def test_a_name_in_the_table_is_enough() -> None:
    row = table()["groq"]
    for one in (provider("groq", base_url=""), provider("fast", base_url="", known="groq")):
        assert one.address("openai_chat", "m", stream=False) == f"{row.base_url}/chat/completions"


def test_a_row_says_what_the_section_does_not() -> None:
    row = table()["mistral"]
    section = provider("mistral", base_url="").section
    assert section.quirks == row.quirks
    assert section.counts_streams is row.counts_streams
    assert section.wires == row.wires


def test_the_section_says_more_than_the_row() -> None:
    own = Quirks(removes=("seed",))
    one = provider(
        "mine",
        known="openai",
        base_url="https://proxy.example/v1",
        key_header="x-key",
        key_prefix="",
        counts_streams=False,
        wires=("openai_chat",),
        quirks=own,
    )
    assert one.wires == ("openai_chat",)
    assert one.address("openai_chat", "m", stream=False) == "https://proxy.example/v1/chat/completions"
    assert headers(one)[b"x-key"] == KEY.encode()
    assert (one.section.counts_streams, one.section.quirks) == (False, own)


def test_an_address_of_its_own_needs_no_row_even_with_a_rows_name() -> None:
    section = provider("mistral").section
    assert (section.base_url, section.quirks, section.counts_streams) == (
        "https://api.example/v1/",
        None,
        True,
    )


@pytest.mark.parametrize("status", [301, 307, 401, 402, 403, 404, 405, 407])
def test_what_only_the_operator_can_repair_is_our_fault_and_may_go_elsewhere(status: int) -> None:
    error = provider().refusal(reply(status), b'{"error":{"message":"bad key"}}')
    assert (error.retryable, error.upstream_status, error.body) == (True, 502, b"")
    assert "bad key" not in error.detail


@pytest.mark.parametrize("status", [408, 409, 424, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_may_go_elsewhere(status: int) -> None:
    error = provider().refusal(reply(status, retry_after="7"), b"{}")
    assert (error.retryable, error.upstream_status, error.retry_after, error.body) == (True, status, 7.0, b"")


@pytest.mark.parametrize("status", [400, 413, 415, 422, 451])
def test_what_the_caller_can_repair_reaches_it_in_the_providers_words(status: int) -> None:
    body = b'{"error":{"message":"too long","code":"context_length_exceeded"}}'
    error = provider().refusal(reply(status), body)
    assert (error.retryable, error.upstream_status, error.body) == (False, status, body)
    assert error.detail == f"the provider refused the request (status {status}): too long"
    assert error.data == {"code": "context_length_exceeded"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":"too long"}', "too long"),
        (b'{"message":"too long"}', "too long"),
        (b'{"object":"error","message":"too long","code":400}', "too long"),
        (b'{"detail":"too long"}', "too long"),
        (b'{"detail":[{"loc":["body","seed"],"msg":"Extra inputs"}]}', "body.seed: Extra inputs"),
        (b'[{"error":{"message":"too long"}}]', "too long"),
    ],
)
def test_words_in_another_shape_are_found_and_shaped_like_openais(body: bytes, words: str) -> None:
    error = provider().refusal(reply(400), body)
    assert error.detail.endswith(words)
    assert msgspec.json.decode(error.body)["error"]["message"] == words


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"{}", b'{"error":null}', b"[" * 100_000], ids=repr)
def test_words_that_are_none_are_replaced(body: bytes) -> None:
    error = provider().refusal(reply(400), body)
    assert "400" in msgspec.json.decode(error.body)["error"]["message"]
    assert "without saying why" in error.detail


def test_its_credential_never_comes_back() -> None:
    error = provider().refusal(reply(400), b'{"error":{"message":"bad ' + KEY.encode() + b'"}}')
    assert KEY.encode() not in error.body
    assert KEY not in error.detail
    assert b"***" in error.body


@pytest.mark.parametrize("text", ["", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_is_none(text: str) -> None:
    assert provider().refusal(reply(429, retry_after=text), b"").retry_after is None


def test_a_retry_after_may_be_finer_than_a_second() -> None:
    assert provider().refusal(reply(429, retry_after="2.5"), b"").retry_after == 2.5
    assert provider().refusal(reply(429, retry_after="3", retry_after_ms="250"), b"").retry_after == 0.25
