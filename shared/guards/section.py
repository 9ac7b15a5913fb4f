"""A guard as an operator writes it: one Struct a kind, told apart by `kind`. Those that look at texts of any
protocol; a gateway may have more of its own.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from shared.config import Secret

Seconds = Annotated[float, Meta(gt=0, le=600)]
Share = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Place = Literal["request", "reply", "stream"]
Who = Literal["system", "user", "assistant", "thinking", "call", "tool", "definition"]
PLACES: tuple[Place, ...] = ("request", "reply", "stream")
# What a call is known by in every gateway; each has facts of its own beside these.
CALLER_FACTS = ("tenant", "team", "project", "tier", "user", "agent", "key")


class GuardSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all guards have. `match` narrows it to calls whose facts (tenant, team, project, tier, user,
    agent, key and those of the gateway) equal these texts, in which `*` stands for any text.

    `mode` monitor: it looks and reports and changes nothing. `fail` is what becomes of a call when the guard
    itself fails, takes longer than `timeout_seconds` or is given more than `max_chars`. `on` is where it
    looks; empty: wherever it makes sense.
    """

    name: str
    mode: Literal["enforce", "monitor"] = "enforce"
    fail: Literal["closed", "open"] = "closed"
    on: tuple[Place, ...] = ()
    match: dict[str, str] = {}
    timeout_seconds: Seconds = 5.0
    max_chars: Count = 1_000_000


class PiiSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pii", tag_field="kind"
):
    """`tokenise` puts numbered placeholders into the request and the values back into the reply."""

    action: Literal["refuse", "redact", "tokenise"] = "redact"
    entities: tuple[str, ...] = ("EMAIL", "PHONE", "SSN", "CREDIT_CARD", "IP_ADDRESS")
    locale: Literal["", "de", "fr", "en-US"] = ""
    allow: tuple[str, ...] = ()


class InjectionSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="injection", tag_field="kind"
):
    """`threshold` 0 is the one that the model was measured at. `who` says whose words are looked at."""

    threshold: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    who: tuple[Who, ...] = ("user", "tool")
    max_chars: Count = 400_000


class Topic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must not be talked about, by examples of it."""

    name: str
    examples: list[str]
    threshold: Share = 0.5


class TopicsSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="topics", tag_field="kind"
):
    topics: list[Topic]
    max_chars: Count = 400_000


class Expression(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An RE2 pattern, its name in findings, and what a match is replaced by."""

    name: str
    pattern: str
    replacement: str = ""


class RegexSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="regex", tag_field="kind"
):
    """`max_match` is the longest match that a stream is held up for, in characters."""

    action: Literal["refuse", "redact"] = "refuse"
    patterns: list[Expression]
    max_match: Annotated[int, Meta(ge=1, le=4096)] = 256


class SecretsSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="secrets", tag_field="kind"
):
    """`entropy`: long random-looking words count too, whatever they begin with."""

    action: Literal["refuse", "redact"] = "redact"
    entropy: bool = False


class LengthSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="length", tag_field="kind"
):
    """Limits in characters; 0 is none."""

    request: Annotated[int, Meta(ge=0)] = 0
    reply: Annotated[int, Meta(ge=0)] = 0


class LanguageSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="language", tag_field="kind"
):
    """Two-letter codes. A text whose language cannot be told passes."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class WebhookSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="webhook", tag_field="kind"
):
    """A guard of your own, asked over HTTP. `border` is the number of characters after which a stream is
    asked about again; `key` goes out as a bearer token.
    """

    url: str
    form: Literal["plain", "openai_moderation"] = "plain"
    key: Secret = field(default_factory=lambda: Secret(""))
    categories: tuple[str, ...] = ()
    border: Count = 400


class FilesSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="files", tag_field="kind"
):
    """`types` are media types, in which `*` stands for any text; empty: all. `max_bytes` is the size of one
    file as it is, not as base64 writes it; 0 is no limit. `links`: a file may be elsewhere.
    """

    types: tuple[str, ...] = ()
    max_bytes: Annotated[int, Meta(ge=0)] = 0
    links: bool = True


TextGuardSection = (
    PiiSection
    | InjectionSection
    | TopicsSection
    | RegexSection
    | SecretsSection
    | LengthSection
    | LanguageSection
    | WebhookSection
)
AnyGuardSection = TextGuardSection | FilesSection
