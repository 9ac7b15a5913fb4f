"""What is found wrong with a provider's section before a socket opens."""

from typing import Any

import pytest

from llm_gateway.config import KeySection, ProviderSection, Section, problems
from shared.config import Secret

BASE = "https://models.example/v1"
AWS: dict[str, Any] = {"kind": "bedrock", "region": "eu-west-1"}
KEY, OTHER = Secret("sk-1234567890"), Secret("sk-0987654321")


def found(**fields: Any) -> list[str]:
    section = Section(providers={"p": ProviderSection(**fields)})
    return [problem.removeprefix("providers.p.") for problem in problems(section)]


@pytest.mark.parametrize(
    "fields",
    [
        {"base_url": BASE},
        {"base_url": BASE, "key": KEY, "key_header": "api-key", "key_prefix": ""},
        {"base_url": BASE, "keys": [KeySection(key=KEY, weight=2), KeySection(key=OTHER)]},
        {"known": "groq", "key": KEY},
        {"known": "vllm", "base_url": BASE},
        {"kind": "azure_openai", "base_url": BASE, "key": KEY, "api_version": "2024-10-21"},
        {**AWS, "key": KEY},
        {**AWS, "keys": [KeySection(key=KEY)]},
        {**AWS, "access_key": KEY, "secret_key": OTHER},
        {**AWS, "access_key": KEY, "secret_key": OTHER, "session_token": OTHER, "base_url": BASE},
    ],
    ids=str,
)
def test_sections_that_are_right(fields: dict[str, Any]) -> None:
    assert found(**fields) == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "base_url: is missing"),
        ({"known": "nobody"}, "known: 'nobody' is not in the table"),
        ({"known": "snowflake"}, "base_url: must be said, like https://{account}"),
        (
            {"kind": "azure_openai", "known": "groq", "base_url": BASE},
            "known: the table holds no providers of kind",
        ),
        ({"kind": "azure_openai"}, "base_url: must be the resource's endpoint"),
        (
            {"base_url": BASE, "key": KEY, "keys": [KeySection(key=KEY)]},
            "keys: `key` and `keys` exclude each other",
        ),
        ({"base_url": BASE, "keys": [KeySection(key=Secret(""))]}, "keys[0].key: is empty"),
        ({"base_url": BASE, "keys": [KeySection(key=Secret("a\nb"))]}, "keys[0].key: holds a line break"),
        ({"base_url": BASE, "key_header": "Api-Key"}, "key_header: 'Api-Key' is no header name"),
        ({"base_url": BASE, "key_header": "host"}, "key_header: 'host' is written by the gateway itself"),
        ({"kind": "bedrock", "key": KEY}, "region: must be said"),
        (
            {"kind": "bedrock", "base_url": BASE, "access_key": KEY, "secret_key": KEY},
            "region: must be said, signatures",
        ),
        ({**AWS}, "access_key: either access_key and secret_key, or key"),
        (
            {**AWS, "key": KEY, "access_key": KEY, "secret_key": KEY},
            "access_key: either access_key and secret_key",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_sections_that_are_wrong(fields: dict[str, Any], problem: str) -> None:
    [only] = found(**fields)
    assert only.startswith(problem)


def test_half_an_account_is_none() -> None:
    assert found(**AWS, key=KEY, secret_key=OTHER) == [
        "access_key: access_key and secret_key belong together"
    ]
