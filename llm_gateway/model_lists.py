"""Models as each family of clients lists them: one entry, and a list of entries.

Source: the official clients' types for GET /v1/models (OpenAI, Anthropic) and GET /v1beta/models (Gemini).
"""

from datetime import UTC, datetime
from typing import Any, Protocol

Json = dict[str, Any]
# Who answers behind a name is the operator's business.
_OWNER = "gatestack"


class ModelList(Protocol):
    def one(self, name: str, created: int) -> Json:
        """`created` in seconds since 1970."""
        ...

    def all(self, models: list[Json]) -> Json: ...


class OpenAIList:
    def one(self, name: str, created: int) -> Json:
        return {"id": name, "object": "model", "created": created, "owned_by": _OWNER}

    def all(self, models: list[Json]) -> Json:
        return {"object": "list", "data": models}


class AnthropicList:
    def one(self, name: str, created: int) -> Json:
        since = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"type": "model", "id": name, "display_name": name, "created_at": since}

    def all(self, models: list[Json]) -> Json:
        ends = {"first_id": models[0]["id"], "last_id": models[-1]["id"]} if models else {}
        return {"data": models, "has_more": False, "first_id": None, "last_id": None} | ends


class GeminiList:
    def one(self, name: str, created: int) -> Json:
        methods = ["generateContent", "streamGenerateContent", "countTokens"]
        return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods}

    def all(self, models: list[Json]) -> Json:
        return {"models": models}
