"""What an operator may set about endpoints other than chat."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

Bytes = Annotated[int, Meta(ge=1)]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class PassthroughSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider that may be reached by paths of its own. They follow `base_url`, or the provider's own.
    `headers` names more of the caller's that it gets to see.
    """

    base_url: str = ""
    methods: tuple[Method, ...] = ("GET", "POST", "DELETE")
    headers: tuple[str, ...] = ()


class EndpointsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`max_upload_bytes` is for forms that are held in memory (recordings, images), `max_file_bytes` for
    files, which are sent on while they arrive. `files_provider` keeps the files that are not for a batch;
    where there is only one provider, it is that one.
    """

    max_upload_bytes: Bytes = 33_554_432
    max_file_bytes: Bytes = 536_870_912
    files_provider: str = ""
    passthrough: dict[str, PassthroughSection] = {}


_SIGNING = frozenset(("bedrock", "vertex"))
# Their address is where their paths begin.
_PLACED = frozenset(("openai_compatible", "azure_openai"))
_ADDRESS = re.compile(r"https?://[^/@?#\s]+(?:/[^@?#\s]*)?")
# What is the gateway's own to say, or says who the caller is.
_NEVER_PASSED = frozenset(
    (
        "authorization",
        "cookie",
        "x-api-key",
        "x-goog-api-key",
        "api-key",
        "txn-token",
        "host",
        "content-length",
        "traceparent",
        "tracestate",
        "baggage",
        "forwarded",
    )
)


class Provided(Protocol):
    """What has to be known of a provider's section."""

    @property
    def kind(self) -> str: ...


def problems(section: EndpointsSection, providers: Mapping[str, Provided]) -> Iterator[str]:
    """What the types alone cannot see, as `path: problem`."""
    if section.files_provider and section.files_provider not in providers:
        yield f"files_provider: {section.files_provider!r} is not configured"
    for name, passed in section.passthrough.items():
        place = f"passthrough.{name}"
        if name not in providers:
            yield f"{place}: is no provider of this section"
        else:
            yield from (f"{place}{problem}" for problem in _kind(providers[name].kind, passed))
        if not passed.methods:
            yield f"{place}.methods: must name at least one"
        for header in passed.headers:
            if header.lower() in _NEVER_PASSED or header.lower().startswith("x-forwarded"):
                yield f"{place}.headers: {header!r} never goes to a provider"


def _kind(kind: str, passed: PassthroughSection) -> Iterator[str]:
    if kind in _SIGNING:
        yield f": not possible for the kind {kind}, whose credential is made for each call"
    elif passed.base_url:
        if not _ADDRESS.fullmatch(passed.base_url):
            yield ".base_url: must be an http(s) address without credentials and query"
    elif kind not in _PLACED:
        yield f".base_url: must say where paths begin, for a provider of the kind {kind}"
