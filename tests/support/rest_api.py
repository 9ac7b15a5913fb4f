"""A small real REST service and its OpenAPI document, for tests of APIs that become tools."""

import copy
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
PET = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string", "minLength": 1},
        "tag": {"type": "string", "nullable": True},
        "owner": {"$ref": "#/components/schemas/Owner"},
    },
}


def _json(schema: Any) -> dict[str, Any]:
    return {"description": "fine", "content": {"application/json": {"schema": schema}}}


def _at(place: str, name: str, schema: Any = None, **more: Any) -> dict[str, Any]:
    return {"in": place, "name": name, "schema": schema or {"type": "string"}, **more}


_PET_REF = {"$ref": "#/components/schemas/Pet"}
_ID = {"$ref": "#/components/parameters/PetId"}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "pets", "version": "1.2"},
    "paths": {
        "/pets": {
            "get": {
                "operationId": "listPets",
                "tags": ["read"],
                "summary": "All pets.",
                "parameters": [
                    _at("query", "limit", {"type": "integer", "minimum": 1, "maximum": 100}),
                    _at("query", "tags", {"type": "array", "items": {"type": "string"}}, explode=False),
                    _at("query", "filter", {"type": "object"}, style="deepObject"),
                    _at("header", "X-Trace-Word"),
                ],
                "responses": {"200": _json({"type": "array", "items": _PET_REF})},
            },
            "post": {
                "operationId": "createPet",
                "tags": ["write"],
                "requestBody": {"required": True, "content": {"application/json": {"schema": _PET_REF}}},
                "responses": {"201": _json(_PET_REF)},
            },
        },
        "/pets/{petId}": {
            "parameters": [_ID],
            "get": {"operationId": "getPet", "tags": ["read"], "responses": {"200": _json(_PET_REF)}},
            "put": {
                "operationId": "putPet",
                "tags": ["write"],
                "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": _PET_REF}}},
                "responses": {"200": _json(_PET_REF)},
            },
            "delete": {"operationId": "deletePet", "tags": ["write"], "responses": {"204": {}}},
        },
        "/pets/{petId}/photo": {
            "get": {"operationId": "getPhoto", "parameters": [_ID], "responses": {"200": {}}}
        },
        "/say/{kind}": {
            "get": {"operationId": "say", "parameters": [_at("path", "kind")], "responses": {"200": {}}}
        },
    },
    "components": {
        "schemas": {
            "Pet": PET,
            "Owner": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
        "parameters": {"PetId": _at("path", "petId", required=True)},
    },
}


class Pets:
    """The service. `seen` is what reached it, `document` what it says about itself."""

    def __init__(self) -> None:
        self.document = copy.deepcopy(DOCUMENT)
        self.seen: list[dict[str, Any]] = []
        self.answer: Response | None = None
        self.app = Starlette(
            routes=[
                Route("/openapi.json", self._openapi),
                Route("/{path:path}", self._anything, methods=["GET", "POST", "PUT", "DELETE"]),
            ]
        )

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(self.document)

    async def _anything(self, request: Request) -> Response:
        raw = request.scope["raw_path"].decode()
        self.seen.append(
            {
                "method": request.method,
                "target": raw + ("?" + request.url.query if request.url.query else ""),
                "headers": [(key.decode(), value.decode()) for key, value in request.headers.raw],
                "body": (await request.body()).decode(),
            }
        )
        return self.answer or self._answered(request)

    def _answered(self, request: Request) -> Response:
        path = request.url.path
        if request.method == "DELETE":
            return Response(status_code=204)
        if path == "/pets":
            pet = {"id": 1, "name": "rex", "tag": None}
            return JSONResponse(pet if request.method == "POST" else [pet])
        if path.endswith("/photo"):
            return Response(PNG, media_type="image/png")
        return _SAID.get(path) or JSONResponse({"id": 7, "name": path})


_SAID: dict[str, Response] = {
    "/say/missing": JSONResponse({"error": "no such pet"}, 404),
    "/say/broken": PlainTextResponse("x" * 100_000, 500),
    "/say/denied": PlainTextResponse("Bearer s3cret-token is not valid", 401),
    "/say/moved": RedirectResponse("http://169.254.169.254/latest"),
    "/say/text": PlainTextResponse("plain words"),
    "/say/zip": Response(b"PK\x03\x04", media_type="application/zip"),
    "/say/secret": PlainTextResponse("you sent s3cret-token"),
    "/say/garbage": Response(b"{not json", media_type="application/json"),
    "/say/packed": Response(b"\x1f\x8b", media_type="text/plain", headers={"content-encoding": "gzip"}),
}
