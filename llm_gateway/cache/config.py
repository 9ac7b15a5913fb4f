"""The cache's own part of the model gateway's section."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from shared.config import Secret

Share = Literal["tenant", "team", "principal"]


class EmbedderSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An embeddings endpoint of OpenAI's form, instead of the vectors made in this process."""

    url: str
    model: str
    key: Secret = field(default_factory=lambda: Secret(""))
    timeout_seconds: Annotated[float, Meta(gt=0)] = 2.0


class SemanticSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`threshold` is the cosine from which two questions count as one. `max_entries` in each namespace: one
    set of callers, one model, one conversation up to the last question.
    """

    threshold: Annotated[float, Meta(gt=0, le=1)] = 0.95
    max_entries: Annotated[int, Meta(ge=1, le=100_000)] = 10_000
    embedder: EmbedderSection | None = None


class CacheSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`models` are patterns of names. `share` tells who may be given an answer that another has paid for."""

    models: tuple[str, ...] = ("*",)
    ttl_seconds: Annotated[int, Meta(ge=1, le=30 * 86_400)] = 3600
    share: Share = "team"
    max_reply_bytes: Annotated[int, Meta(ge=1)] = 262_144
    semantic: SemanticSection | None = None


def problems(section: CacheSection) -> Iterator[str]:
    if not section.models:
        yield "models: names no model; leave `cache` out where nothing is to be kept"
    embedder = section.semantic.embedder if section.semantic else None
    if embedder is not None and not embedder.url.startswith(("http://", "https://")):
        yield "semantic.embedder.url: must be an http(s) address"
