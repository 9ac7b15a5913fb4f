"""One operation of an API as a tool: what it is called with, where that goes, and what comes back."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.schema import Arguments
from mcp_gateway.upstreams.openapi.parameters import Parameter

FORM = "application/x-www-form-urlencoded"
_READS = frozenset(("get", "head"))
_LONGEST_TEXT = 4_000


class Body(Struct, frozen=True, kw_only=True):
    """`argument` is what the tool calls it. `form` bodies are written as HTML forms are, others as JSON."""

    argument: str
    media: str
    required: bool
    schema: Any

    @property
    def form(self) -> bool:
        return self.media == FORM


class Operation(Struct, frozen=True, kw_only=True):
    """`answers` is the schema of structured answers; with `wrapped` they stand below `result`, because what
    the API answers is no object. `own_query` are the names in the query that only the operator sets.
    """

    name: str
    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    own_query: tuple[str, ...] = ()
    body: Body | None = None
    title: str = ""
    text: str = ""
    answers: Any = None
    wrapped: bool = False
    checks: Arguments | None = None

    def definition(self) -> Raw:
        """The tool as `tools/list` shows it."""
        found: dict[str, Any] = {"name": self.name}
        if self.title:
            found["title"] = self.title
        found["description"] = (self.text or f"{self.method.upper()} {self.path}")[:_LONGEST_TEXT]
        found["inputSchema"] = self._input()
        if self.answers is not None:
            found["outputSchema"] = self.answers
        if hints := _hints(self.method):
            found["annotations"] = hints
        return Raw(msgspec.json.encode(found))

    def _input(self) -> dict[str, Any]:
        properties = {each.argument: each.schema for each in self.parameters}
        required = [each.argument for each in self.parameters if each.required]
        if self.body is not None:
            properties[self.body.argument] = self.body.schema
            required += [self.body.argument] if self.body.required else []
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        return schema | {"required": required} if required else schema


def _hints(method: str) -> dict[str, bool]:
    """What HTTP says of its methods (RFC 9110 §9.2); nothing of POST and PATCH, which may do anything."""
    if method in _READS:
        return {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True}
    if method == "delete":
        return {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True}
    if method == "put":
        return {"readOnlyHint": False, "idempotentHint": True}
    return {}
