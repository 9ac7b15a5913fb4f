"""Puts the document together: every path that is served, and what may be done there."""

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from llm_gateway.listing import PATHS as LISTS
from llm_gateway.openapi.operations import Operation, operations_at

Json = dict[str, Any]

# The edge leads everything below /v1 here, so that it is found at the same place through it.
PATH = "/v1/openapi.json"
_SCHEMAS = Path(__file__).with_name("schemas.json")
_NAME = re.compile(r"\{(\w+)(?::\w+)?\}")
# What stands before a verb is a model, whatever its route calls it.
_CALLED = re.compile(r"\{\w+\}(?=:)")
_ERRORS = {"openai": "OpenAIError", "anthropic": "AnthropicError", "gemini": "GeminiError"}
_JSON, _FORM = "application/json", "multipart/form-data"
_QUERY: dict[str, Json] = {
    "after": {"type": "string", "description": "The id after which the page begins"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100},
    "order": {"enum": ["asc", "desc"]},
    "purpose": {"type": "string"},
    "alt": {"enum": ["sse"], "description": "Streams are server-sent events, with or without it"},
}
_SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, or an agent's delegation token"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
}
_HEADERS: Json = {
    "x-gatestack-call": {
        "description": "The id of this call's entry in the ledger",
        "schema": {"type": "string"},
    },
    "x-gatestack-chain": {
        "description": "The id of everything that follows from one request",
        "schema": {"type": "string"},
    },
}


def document(served: Iterable[str]) -> Json:
    """`served` are route patterns. Models are listed at paths that no route names."""
    lists = (path for each in LISTS for path in (each, f"{each}/{{name}}"))
    paths: Json = {}
    for pattern in (*served, *lists):
        path = _CALLED.sub("{model}", _NAME.sub(r"{\1}", pattern))
        paths[path] = {each.method: _operation(path, each) for each in operations_at(path)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatestack model gateway",
            "version": "1",
            "description": "Model calls in the dialects of OpenAI, Anthropic and Google. The clients of all "
            "three work unmodified: base URL and key are all that changes.",
        },
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in _SECURITY],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _schemas(),
            "responses": {
                name: _reply({_JSON: _ref(name)}, "Refused or failed") for name in _ERRORS.values()
            },
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


@functools.cache
def _schemas() -> Json:
    found: Json = msgspec.json.decode(_SCHEMAS.read_bytes())
    return found


def _operation(path: str, operation: Operation) -> Json:
    replies = {_JSON: _ref(operation.reply)} if operation.reply else {}
    replies |= {kind: {"schema": {}} for kind in operation.also}
    error = {"$ref": f"#/components/responses/{_ERRORS[operation.dialect]}"}
    told: Json = {
        "summary": operation.summary,
        "operationId": _identity(path, operation),
        "tags": [operation.dialect],
        "parameters": [*map(_in_path, _NAME.findall(path)), *map(_in_query, operation.query)],
        "responses": {"200": _reply(replies, "Answered"), "4XX": error, "5XX": error},
    }
    if operation.request:
        asked = {_FORM if operation.form else _JSON: _ref(operation.request)}
        if operation.either:
            asked[_JSON] = _ref(operation.either)
        told["requestBody"] = {"required": True, "content": asked}
    return told


def _reply(content: Json, description: str) -> Json:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    return {"description": description, "headers": headers, "content": content}


def _ref(name: str) -> Json:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}


def _in_path(name: str) -> Json:
    schema: Json = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": _QUERY[name]}


def _identity(path: str, operation: Operation) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")
    return f"{operation.method}_{words}"
