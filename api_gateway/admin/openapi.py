"""The admin API as one OpenAPI document, made of the pages themselves: what is served and what is described
cannot come apart.
"""

import re
from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import LONGEST_REASON, ROOT, Answer, Ask, Page
from api_gateway.control import Control

Json = dict[str, Any]
PATH = "/admin/openapi.json"
_JSON, _PROBLEM = "application/json", "application/problem+json"
_TEXT: Json = {"type": "string"}
_SAID: Json = {"type": "string", "maxLength": LONGEST_REASON}
_PERIOD = "30m, 12h, 7d, 4w, a month (2026-03, this-month, last-month) or an ISO date"
_SCHEMAS: dict[str, Json] = {
    "limit": {"type": "integer", "minimum": 1, "description": "How many at most; asks for a page"},
    "cursor": {"type": "string", "description": "The `next` of the page before"},
    "since": {"type": "string", "description": _PERIOD},
    "until": {"type": "string", "description": _PERIOD},
    "compare": {"type": "string", "enum": ["true", "false"]},
    "reason": _SAID | {"description": "Why; the ledger keeps it"},
    "author": _SAID | {"description": "Who wants it, if not whoever calls"},
}


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong (RFC 9457). `instance` is the call's entry in the ledger."""

    type: str
    title: str
    status: int
    detail: str
    reason: str
    instance: str


class Refused(Struct, frozen=True, kw_only=True):
    """A batch of which nothing was done, and why."""

    state: str
    published: bool
    results: list[dict[str, Any]]
    detail: str = ""


def described(pages: tuple[Page, ...]) -> Page:
    """The page that hands out the document of all `pages`, itself among them."""

    async def read(control: Control, ask: Ask) -> Answer:
        """This document."""
        return 200, whole

    page = Page(method="GET", path=PATH, area="openapi", action="read", call=read)
    whole = document((*pages, page))
    return page


def document(pages: tuple[Page, ...]) -> Json:
    typed = [kind for page in pages for kind in (page.body, page.answer, _item(page)) if kind is not None]
    kinds = [*dict.fromkeys(typed), Problem, Refused]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Json] = {}
    for page in pages:
        path = page.address.replace(":path}", "}")
        paths.setdefault(path, {})[page.method.lower()] = _operation(page, path, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatestack admin API",
            "version": "1",
            "description": "Everything that operators run the stack by. Policy is asked for `admin:<tag>`"
            " with the action `read` or `manage`. Every call is an entry of the ledger, with its author.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key with the right to do so"}
            },
        },
    }


def _item(page: Page) -> Any:
    return page.lists.item if page.lists is not None else None


def _operation(page: Page, path: str, schema_of: dict[Any, Json]) -> Json:
    told: Json = {
        "operationId": _identity(page, path),
        "summary": (page.call.__doc__ or "").strip().partition("\n\n")[0],
        "tags": [page.area],
        "parameters": [*map(_in_path, re.findall(r"\{(\w+)\}", path)), *map(_in_query, page.parameters)],
        "responses": {
            str(page.status): _answer(page, schema_of),
            "4XX": _refusal(page, schema_of),
            "5XX": {"description": "Failed", "content": {_PROBLEM: {"schema": schema_of[Problem]}}},
        },
        "x-gatestack-action": page.action,
    }
    if page.status != 200:
        # A dry run makes nothing.
        told["responses"]["200"] = told["responses"][str(page.status)]
    if page.body is not None:
        schema = schema_of[page.body]
        optional = {"type": "null"} in schema.get("anyOf", ())
        told["requestBody"] = {"required": not optional, "content": {_JSON: {"schema": schema}}}
    if page.conditional:
        told["parameters"].append(
            {
                "name": "if-match",
                "in": "header",
                "schema": _TEXT,
                "description": "The etag of what was seen, or *",
            }
        )
    return told


def _answer(page: Page, schema_of: dict[Any, Json]) -> Json:
    schema: Json = schema_of[page.answer] if page.answer is not None else {"type": "object"}
    if page.lists is not None:
        item = schema_of[page.lists.item] if page.lists.item is not None else {"type": "object"}
        members = {page.lists.member: {"type": "array", "items": item}, "next": _TEXT}
        schema = {"type": "object", "properties": members, "required": [page.lists.member]}
    return {"description": "Done", "content": {_JSON: {"schema": schema}}}


def _refusal(page: Page, schema_of: dict[Any, Json]) -> Json:
    content: Json = {_PROBLEM: {"schema": schema_of[Problem]}}
    if page.path == "/objects" and page.method == "PUT":
        content[_JSON] = {"schema": schema_of[Refused]}
    return {"description": "Refused", "content": content}


def _identity(page: Page, path: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", path.removeprefix(ROOT).removeprefix("/admin")).strip("_")
    return f"{page.method.lower()}_{words}"


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _in_query(name: str) -> Json:
    return {"name": name, "in": "query", "schema": _SCHEMAS.get(name, _TEXT)}
