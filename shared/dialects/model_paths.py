"""Which dialect a path of the model gateway belongs to: the official clients' own paths, at the root and
below a prefix of their own.
"""

from typing import Literal

ModelDialect = Literal["openai", "anthropic", "gemini"]
# Where the edge sends what to the model gateway.
PREFIXES = ("/v1", "/v2", "/v1beta", "/v1beta1", "/anthropic", "/gemini")
_ANTHROPIC = ("/anthropic/", "/v1/messages")
_GEMINI = ("/gemini/", "/v1beta/", "/v1beta1/")
_WITH_VERBS = ("/v1/models/", "/v1/publishers/", "/v1/projects/")


def spoken_at(path: str) -> ModelDialect:
    if path.startswith(_ANTHROPIC):
        return "anthropic"
    # OpenAI has models at /v1/models/{id} too, but never with a verb after a colon.
    verb = path.startswith(_WITH_VERBS) and ":" in path.rpartition("/")[2]
    return "gemini" if verb or path.startswith(_GEMINI) else "openai"
