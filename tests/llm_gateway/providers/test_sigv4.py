"""Signatures as AWS publishes them in its signing test suite, and two for Bedrock's own addresses."""

import datetime

import pytest

from llm_gateway.providers.sigv4 import Account, Signer, host_of

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
HOST = "https://example.amazonaws.com"
SUITE = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC).timestamp()
TODAY = datetime.datetime(2026, 11, 21, 10, 20, 30, tzinfo=datetime.UTC).timestamp()
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1"
PLACE = "https://bedrock-runtime.us-east-1.amazonaws.com/model"
CONVERSE = f"{PLACE}/arn:aws:bedrock:us-east-1:123456789012:inference-profile%2F{MODEL}:0/converse-stream"
ENCODED = f"{PLACE}/{CONVERSE.removeprefix(PLACE + '/').replace(':', '%3A')}"
BODY = b'{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}'


def signature(added: dict[str, str]) -> str:
    return added["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", {}, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            {},
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("GET", "/ሴ", {}, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        (
            "GET",
            "/",
            {"My-Header1": " value1", "My-Header2": ' "a   b   c"'},
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
    ],
    ids=["get", "post", "no path", "query order", "utf-8", "trimmed headers"],
)
def test_the_signing_test_suite(method: str, path: str, headers: dict[str, str], expected: str) -> None:
    signer = Signer(Account(KEY, SECRET), "us-east-1", "service")
    assert signature(signer.sign(method, HOST + path, headers, b"", SUITE)) == expected


def test_a_temporary_key_signs_its_token_too() -> None:
    signer = Signer(Account(KEY, SECRET, TOKEN), "us-east-1", "service")
    added = signer.sign("GET", HOST + "/", {}, b"", SUITE)
    assert added["x-amz-security-token"] == TOKEN
    assert signature(added) == "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"


def test_a_body_and_its_type_are_signed() -> None:
    signer = Signer(Account(KEY, SECRET), "us-east-1", "service")
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": "13",
        "x-amz-content-sha256": "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
    }
    added = signer.sign("POST", HOST + "/", headers, b"Param1=value1", SUITE)
    assert signature(added) == "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"
    assert (
        "SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date,"
        in added["authorization"]
    )


@pytest.mark.parametrize(
    ("url", "token", "expected"),
    [
        (CONVERSE, "", "9cc8397c0b69b345e091525abbd7649cc9ebca1891eb2c73c6d8551ec835ab06"),
        (ENCODED, "", "29dd5d4544c1516888ea9dcb27e4730f2db448fedfe6096a88b7711c3961f581"),
        (ENCODED, "token+/=", "7d61a26b282f2868d5e02c051d2848b0c25aa830d826ec7253220e5fea45c2cc"),
    ],
    ids=["colons", "no colons", "temporary key"],
)
def test_an_arn_in_the_path_as_awss_own_client_signs_it(url: str, token: str, expected: str) -> None:
    signer = Signer(Account(KEY, SECRET, token), "us-east-1", "bedrock")
    added = signer.sign("POST", url, {"content-type": "application/json"}, BODY, TODAY)
    assert added["x-amz-date"] == "20261121T102030Z"
    assert f"Credential={KEY}/20261121/us-east-1/bedrock/aws4_request" in added["authorization"]
    assert signature(added) == expected


def test_another_day_is_another_signature() -> None:
    signer = Signer(Account(KEY, SECRET), "us-east-1", "bedrock")
    one, two = (signature(signer.sign("POST", CONVERSE, {}, BODY, TODAY + day * 86_400)) for day in (0, 1))
    assert one != two


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.com/a", "example.com"),
        ("https://example.com:443/a", "example.com"),
        ("https://example.com:8443/a", "example.com:8443"),
        ("http://127.0.0.1:9000", "127.0.0.1:9000"),
        ("http://[::1]:80/", "[::1]"),
    ],
)
def test_the_host_that_is_signed_is_the_one_that_is_sent(url: str, host: str) -> None:
    assert host_of(url) == host
