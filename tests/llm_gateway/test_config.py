"""Every mistake in the section is found, at once, with its path."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_gateway.cache.config import CacheSection, SemanticSection
from llm_gateway.config import ModelSection, ProviderSection, Section, TargetSection, problems
from llm_gateway.prices import Price
from shared.config import ConfigProblems, Loaded, load

DOCUMENT = Path(__file__).parents[2] / "docs" / "llm_gateway.md"
WHOLE: dict[str, Any] = {
    "accept": ["identity", "key"],
    "providers": {
        "openai": {"base_url": "https://api.openai.com/v1", "key": "${KEY}"},
        "azure": {
            "base_url": "https://x.example/v1",
            "key": "${KEY}",
            "key_header": "api-key",
            "key_prefix": "",
            "headers": {"x-project": "${KEY}"},
        },
    },
    "models": {
        "fast": {
            "targets": [
                {"provider": "openai", "model": "a"},
                {"provider": "azure", "model": "b", "price": {"in": 5}},
            ],
            "aliases": ["gpt-4o-mini", "openai/gpt-4o-mini"],
            "price": {"in": 150000, "out": 600000, "cached": 75000},
            "labels": ["sends:outside"],
        }
    },
    "limits": [{"name": "rpm", "per": "key", "unit": "requests", "amount": 60}],
}


def read(directory: Path, section: dict[str, Any]) -> Loaded[Section]:
    path = directory / "gatestack.yaml"
    path.write_text(yaml.safe_dump({"llm_gateway": section}))
    return load(path, "llm_gateway", Section, problems, {"KEY": "sk-1", "BROKEN": "a\nb"})


def test_a_whole_section_is_read(tmp_path: Path) -> None:
    section = read(tmp_path, WHOLE).section
    model = section.models["fast"]
    assert model.price is not None
    assert (model.price.tokens_in, model.price.tokens_out, model.price.cached) == (150000, 600000, 75000)
    assert section.providers["openai"].key.reveal() == "sk-1"
    assert section.providers["azure"].key_header == "api-key"
    assert section.limits[0].amount == 60


def test_an_empty_section_is_a_gateway_without_models(tmp_path: Path) -> None:
    assert read(tmp_path, {}).section == Section()


def test_all_mistakes_are_found_at_once_with_their_paths(tmp_path: Path) -> None:
    wrong = {
        "bind": "nowhere",
        "providers": {
            "a": {"base_url": "ftp://x", "key_header": "Bad Header"},
            "b": {"base_url": "https://user:pass@x/v1", "headers": {"host": "${KEY}", "x-a": "${BROKEN}"}},
        },
        "models": {
            "m*": {"targets": [{"provider": "c", "model": ""}], "aliases": ["n"]},
            "n": {"targets": [{"provider": "a", "model": "x"}]},
        },
        "limits": [{"name": "x", "per": "key", "unit": "requests", "amount": 1}] * 2,
    }
    with pytest.raises(ConfigProblems) as caught:
        read(tmp_path, wrong)
    paths = sorted(problem.partition(": ")[0] for problem in caught.value.problems)
    assert paths == [
        "llm_gateway.bind",
        "llm_gateway.limits[1].name",
        "llm_gateway.models.m*",
        "llm_gateway.models.m*.targets[0].model",
        "llm_gateway.models.m*.targets[0].provider",
        "llm_gateway.models.n",
        "llm_gateway.providers.a.base_url",
        "llm_gateway.providers.a.key_header",
        "llm_gateway.providers.b.base_url",
        "llm_gateway.providers.b.headers.host",
        "llm_gateway.providers.b.headers.x-a",
    ]


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"accept": []}, "accept"),
        ({"accept": ["password"]}, "accept[0]"),
        ({"models": {"m": {"targets": []}}}, "models.m.targets"),
        ({"providers": {"p": {"base_url": "http://x", "key": "sk-plain"}}}, "providers.p.key"),
        ({"providers": {"p": {"base_url": "http://x", "kind": "other"}}}, "providers.p.kind"),
        ({"providers": {"p": {"base_url": "http://[x"}}}, "providers.p.base_url"),
        ({"providers": {"p": {}}}, "providers.p.base_url"),
        ({"max_body_bytes": 0}, "max_body_bytes"),
        ({"modles": {}}, "modles"),
    ],
    ids=str,
)
def test_a_mistake_is_reported_where_it_is(tmp_path: Path, section: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigProblems) as caught:
        read(tmp_path, section)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [f"llm_gateway.{path}"]


def test_no_problem_shows_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems) as caught:
        read(tmp_path, {"providers": {"p": {"base_url": "http://x", "key": "${BROKEN}"}}})
    assert "a\nb" not in str(caught.value.problems)


def test_the_documented_example_is_a_good_one(tmp_path: Path) -> None:
    text = DOCUMENT.read_text().partition("```yaml\n")[2].partition("```")[0]
    path = tmp_path / "gatestack.yaml"
    path.write_text(text)
    loaded = load(path, "llm_gateway", Section, problems, {"OPENAI_API_KEY": "sk-1"})
    assert list(loaded.section.models) == ["fast"]


def test_every_field_is_documented() -> None:
    text = "\n".join(page.read_text() for page in DOCUMENT.parent.glob("*.md"))
    kinds = (Section, ProviderSection, ModelSection, TargetSection, Price, CacheSection, SemanticSection)
    fields = {field for kind in kinds for field in kind.__struct_encode_fields__}
    assert [field for field in sorted(fields) if not re.search(rf"\b{field}\b", text)] == []
