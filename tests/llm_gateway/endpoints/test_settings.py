"""What an operator may set about endpoints, and what is told about mistakes in it."""

from collections.abc import Iterator

import msgspec
import pytest

from llm_gateway.config import ProviderSection
from llm_gateway.endpoints.settings import EndpointsSection, problems

PROVIDERS = {
    "main": ProviderSection(base_url="http://127.0.0.1:9/v1"),
    "google": ProviderSection(kind="gemini"),
    "aws": ProviderSection(kind="bedrock", region="eu-west-1"),
}


def told(**section: object) -> Iterator[str]:
    return problems(msgspec.convert(section, EndpointsSection), PROVIDERS)


def test_what_is_right_is_not_mentioned() -> None:
    google = {"base_url": "https://generativelanguage.googleapis.com/v1beta"}
    passthrough = {"main": {"headers": ["x-custom"]}, "google": google}
    assert list(told(files_provider="main", passthrough=passthrough)) == []


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"files_provider": "other"}, "files_provider: 'other' is not configured"),
        ({"passthrough": {"other": {}}}, "passthrough.other: is no provider of this section"),
        ({"passthrough": {"main": {"methods": []}}}, "passthrough.main.methods: must name at least one"),
        ({"passthrough": {"google": {}}}, "passthrough.google.base_url: must say where paths begin"),
        ({"passthrough": {"aws": {"base_url": "http://a"}}}, "passthrough.aws: not possible for the kind"),
        ({"passthrough": {"main": {"base_url": "ftp://a"}}}, "passthrough.main.base_url: must be an http"),
        ({"passthrough": {"main": {"base_url": "http://u@a"}}}, "passthrough.main.base_url: must be an"),
        ({"passthrough": {"main": {"headers": ["Cookie"]}}}, "passthrough.main.headers: 'Cookie' never"),
        ({"passthrough": {"main": {"headers": ["X-Forwarded-For"]}}}, "passthrough.main.headers: 'X-F"),
    ],
)
def test_every_mistake_is_told_with_its_place(section: dict[str, object], problem: str) -> None:
    [found] = told(**section)
    assert found.startswith(problem)
