"""The table of known providers: every row is one that a gateway could start with."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llm_gateway.config import ProviderSection, Section, problems
from llm_gateway.known import Known, table
from llm_gateway.providers.openai_compatible import CHAT, OpenAICompatible
from llm_gateway.quirks import Quirks
from shared.config import Secret

# OpenAI's own members of a chat completion: nothing else can be renamed or removed.
MEMBERS = {
    *("audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens"),
    *(
        "metadata",
        "modalities",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
    ),
    *("reasoning_effort", "response_format", "seed", "service_tier", "stop", "store", "stream_options"),
    *("temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity"),
}
ROWS = table().items()
DOCUMENT = Path(__file__).parents[2] / "docs" / "providers.md"
LOCAL = {name for name, row in ROWS if row.base_url.startswith("http://127.0.0.1:")}
OPEN = {name for name, row in ROWS if "{" in row.base_url}


def test_every_row_and_every_quirk_is_documented() -> None:
    text = DOCUMENT.read_text()
    for name, row in ROWS:
        assert f"| `{name}` | {row.base_url} |" in text
    assert [field for field in Quirks.__struct_fields__ if f"| `{field}" not in text] == []


def test_there_are_enough_of_them() -> None:
    assert len(table()) >= 40


@pytest.mark.parametrize(("name", "row"), ROWS, ids=str)
def test_a_row_is_an_address_and_where_it_was_found(name: str, row: Known) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", name)
    address, source = urlsplit(row.base_url), urlsplit(row.source)
    assert address.scheme == ("http" if name in LOCAL else "https")
    assert address.hostname
    assert not row.base_url.endswith("/")
    assert "?" not in row.base_url
    assert "@" not in row.base_url
    assert (source.scheme, bool(source.hostname)) == ("https", True)
    assert bool(row.env) is (name not in LOCAL)


@pytest.mark.parametrize(("name", "row"), ROWS, ids=str)
def test_quirks_speak_of_members_that_there_are(name: str, row: Known) -> None:
    quirks = row.quirks
    if quirks is not None:
        assert MEMBERS.issuperset(quirks.removes)
        assert MEMBERS.issuperset(quirks.renames)
        assert not MEMBERS.intersection(quirks.renames) & set(quirks.removes)
        assert len(set(quirks.removes)) == len(quirks.removes)
        assert not (quirks.schema_only and quirks.object_only)
    assert row.counts_streams or "stream_options" in (quirks.removes if quirks else ())


@pytest.mark.parametrize("name", [name for name, _ in ROWS])
def test_a_name_and_a_key_are_all_that_a_row_needs(name: str) -> None:
    section = ProviderSection(key=Secret("sk-1234567890"))
    found = problems(Section(providers={name: section}))
    if name in OPEN:
        assert found == [f"providers.{name}.base_url: must be said, like {table()[name].base_url}"]
        return
    assert found == []
    provider = OpenAICompatible(name, section)
    for wire in provider.wires:
        assert provider.address(wire, "m", stream=False).startswith(table()[name].base_url)


@pytest.mark.parametrize("name", sorted(OPEN))
def test_a_row_with_a_gap_is_filled_by_the_operator(name: str) -> None:
    section = ProviderSection(known=name, base_url="https://mine.example/v1")
    assert problems(Section(providers={"mine": section})) == []
    provider = OpenAICompatible("mine", section)
    assert provider.address(CHAT, "m", stream=False) == "https://mine.example/v1/chat/completions"
    assert provider.section.quirks == table()[name].quirks


def test_a_name_that_is_in_no_row() -> None:
    sections = {"a": ProviderSection(), "b": ProviderSection(known="nobody")}
    found = problems(Section(providers=sections))
    assert len(found) == 2
    assert found[0].startswith("providers.a.base_url: is missing")
    assert found[1].startswith("providers.b.known: 'nobody' is not in the table")
