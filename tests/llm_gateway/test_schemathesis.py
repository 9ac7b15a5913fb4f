"""Whatever fits a description of the API, this gateway's own or OpenAI's, gets an answer that the description
allows: never an error of ours, never silence.
"""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from msgspec import Struct
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shared.valkey import EmbeddedValkey
from tests.llm_gateway.beside import beside
from tests.llm_gateway.gateway import gateway, rule
from tests.llm_gateway.openai_document import DOCUMENT
from tests.llm_gateway.well_behaved import WellBehaved
from tests.support.valkey import emptied

pytestmark = pytest.mark.timeout(300)
SECONDS = 10
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Paths that are others' twins: the same pipeline behind another prefix.
TWINS = r"/publishers/|^/gemini/|^/anthropic/v1/messages|^/v2/"
few = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Place(Struct, frozen=True):
    url: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, valkey: EmbeddedValkey) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("schemathesis")
    with beside(lambda: _opened(directory, valkey.url)) as there:
        yield there.world


@contextlib.asynccontextmanager
async def _opened(directory: Path, redis: str) -> AsyncIterator[Place]:
    await emptied(redis)
    async with (
        WellBehaved() as provider,
        gateway(
            directory,
            redis,
            provider,
            accept=["key"],
            policy={"rules": [rule(obj="*")]},
            endpoints={"passthrough": {"main": {}}},
        ) as opened,
    ):
        secret, record = opened.edge.key()
        await opened.edge.keys(opened.service.parts, [record])
        yield Place(opened.url, secret)


@pytest.fixture(scope="module")
def described(place: Place) -> Any:
    """The document as it is served."""
    served = requests.get(f"{place.url}/v1/openapi.json", headers=place.headers, timeout=SECONDS)
    return _schema(closed(served.json()), place).exclude(path_regex=TWINS)


@pytest.fixture(scope="module")
def openai_shaped(place: Place) -> Any:
    return _schema(DOCUMENT, place)


def _schema(document: dict[str, Any], place: Place) -> Any:
    found = schemathesis.openapi.from_dict(document)
    found.config.update(base_url=place.url)
    return found


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with requests that hold nothing unheard-of: any JSON in any place takes minutes to make
    up, and what is passed on unread is not what is tested here.
    """
    # Whose key it is is not left to chance: two credentials are one too many.
    del document["security"]
    schemas = document["components"]["schemas"]
    answers = _named(document["components"]["responses"]) | _named(
        [each["responses"] for path in document["paths"].values() for each in path.values()]
    )
    for name in schemas.keys() - answers:
        schemas[name] = _closed(schemas[name])
    # A result of a call that nobody has made is refused, and rightly so.
    schemas["ContentPart"]["anyOf"].pop()
    # Bodies that mean nothing to the gateway: it is the same schema for what comes back.
    schemas["Anything"] = {"type": ["object", "string", "null"], "additionalProperties": {"type": "string"}}
    return document


def _named(value: Any) -> set[str]:
    return set(re.findall(r"#/components/schemas/(\w+)", json.dumps(value)))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(value) for name, value in schema.items()}
    if found.get("type") == "object" or "properties" in found:
        found.setdefault("additionalProperties", False if "properties" in found else {"type": "string"})
    return found


def test_our_own_document_is_kept_to(described: Any, place: Place) -> None:
    hold(described, place)


def test_openais_clients_get_what_they_expect(openai_shaped: Any, place: Place) -> None:
    hold(openai_shaped, place)


def hold(schema: Any, place: Place) -> None:
    """Tries every operation, and tells of all that fail at once."""
    failed: list[Exception] = []
    count = 0
    for found in schema.get_all_operations():
        operation, count = found.ok(), count + 1

        @few
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            heard(case, place)

        try:
            holds()
        except Exception as error:  # the next operation may fail too, and says more about why
            error.add_note(operation.label)
            failed.append(error)
    assert count
    if failed:
        raise ExceptionGroup("operations that do not do as they are described", failed)


def heard(case: Any, place: Place) -> None:
    """Sends a case and holds the answer against the document."""
    aim(case, place)
    case.validate_response(case.call(headers=place.headers, timeout=SECONDS), checks=CHECKS)


def aim(case: Any, place: Place) -> None:
    """Most cases ask for a model that there is, and come back for something that they have made."""
    if len(repr((case.body, case.path_parameters))) % 5 == 0:
        return
    named = case.path_parameters or {}
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = "fast"
    for place_of in ("model", "name"):
        if place_of in named:
            named[place_of] = "fast"
    if named.get("provider"):
        named["provider"] = "main"
    kind = case.operation.path.split("/")[2]
    if "id" in named and kind in MAKERS:
        named["id"] = MAKERS[kind](place)


def made(place: Place, path: str, **asked: Any) -> str:
    answer = requests.post(f"{place.url}/v1/{path}", headers=place.headers, timeout=SECONDS, **asked)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def file(place: Place, purpose: str = "user_data", data: bytes = b"hello") -> str:
    return made(place, "files", data={"purpose": purpose}, files={"file": ("a.jsonl", data)})


def response(place: Place) -> str:
    return made(place, "responses", json={"model": "fast", "input": "Hi"})


def batch(place: Place) -> str:
    url = "/v1/chat/completions"
    asked = {"model": "fast", "messages": [{"role": "user", "content": "Hi"}]}
    line = {"custom_id": "1", "method": "POST", "url": url, "body": asked}
    batched = file(place, "batch", json.dumps(line).encode())
    return made(
        place, "batches", json={"input_file_id": batched, "endpoint": url, "completion_window": "24h"}
    )


MAKERS = {"files": file, "responses": response, "batches": batch}
