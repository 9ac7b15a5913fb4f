"""OpenAPI documents as files: which are read, and which are refused before a socket opens."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from api_gateway.contract.document import BadDocument, read
from api_gateway.contract.operation import Operations


def described(paths: dict[str, Any], *, version: str = "3.1.0", **schemas: Any) -> dict[str, Any]:
    return {"openapi": version, "paths": paths, "components": {"schemas": schemas}}


def operations(directory: Path, document: Any) -> Operations:
    path = directory / "api.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return Operations(read(path))


def posting(schema: Any) -> dict[str, Any]:
    return {"/a": {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}}


@pytest.mark.parametrize(
    "reference",
    [
        "http://169.254.169.254/x",
        "https://example.com/s.json",
        "file:///etc/passwd",
        "other.yaml#/a",
        "#/components/no",
    ],
)
def test_references_lead_nowhere_but_into_the_document(reference: str, tmp_path: Path) -> None:
    for document in (
        described(posting({"$ref": reference})),
        described(posting({"type": "array", "items": {"$ref": reference}})),
        described({"/a": {"$ref": reference}}),
        described({"/a": {"get": {"parameters": [{"$ref": reference}]}}}),
        described({"/a": {"post": {"requestBody": {"$ref": reference}}}}),
    ):
        with pytest.raises(BadDocument):
            operations(tmp_path, document)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "openapi: 2.0\npaths: {}",
        "openapi: 3.1.0",
        "{",
        "a: &a [1]\nb: *a\nopenapi: 3.1.0\npaths: {}",
        "openapi: 3.1.0\npaths: " + "{a: " * 80 + "1" + "}" * 80,
        "openapi: 3.1.0\npaths: {}\nx: " + "a" * 5_300_000,
    ],
)
def test_what_is_no_document_or_too_much_of_one_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadDocument):
        operations(tmp_path, text)


def test_what_refers_to_itself_is_refused_where_nothing_would_come_of_it(tmp_path: Path) -> None:
    loop = described({"/a": {"get": {"parameters": [{"$ref": "#/components/parameters/a"}]}}})
    loop["components"]["parameters"] = {
        "a": {"$ref": "#/components/parameters/b"},
        "b": {"$ref": "#/components/parameters/a"},
    }
    with pytest.raises(BadDocument):
        operations(tmp_path, loop)


def test_a_pattern_that_would_have_to_backtrack_or_grow_is_refused(tmp_path: Path) -> None:
    for pattern in (r"(a)\1", "(?=a)b", "a{100000}{100}"):
        with pytest.raises(BadDocument):
            operations(tmp_path, described(posting({"type": "string", "pattern": pattern})))
    operations(tmp_path, described(posting({"type": "string", "pattern": "(a+)+$"})))


@pytest.mark.parametrize(
    "operation",
    [
        {"parameters": 5},
        {"parameters": {"name": "a"}},
        {"parameters": ["a"]},
        {"requestBody": "text"},
        {"requestBody": {"content": ["application/json"]}},
        {"requestBody": {"$ref": "#/components/schemas/Text"}},
    ],
)
def test_what_has_another_shape_than_a_document_is_told_with_its_place(
    operation: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(BadDocument, match="paths//a/post/"):
        operations(tmp_path, described({"/a": {"post": operation}}, Text="text"))


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="cannot be read"):
        read(tmp_path / "none.yaml")
