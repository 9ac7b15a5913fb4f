"""The model gateway's own section of `gatestack.yaml`."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from llm_gateway.prices import Price
from shared.config import Secret
from shared.limits.rule import LimitRule
from shared.limits.rule import problems as limit_problems
from shared.server import ServerName

Seconds = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=1)]
Credential = Literal["identity", "key", "delegation"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
_HEADER = re.compile(r"[a-z0-9][a-z0-9-]*")
# Ours to write: a provider's section may not set them.
_RESERVED_HEADERS = frozenset(
    ("host", "content-length", "content-type", "accept", "accept-encoding", "connection")
)


class ProviderSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that answers. `key` goes out as the header `key_header`, after `key_prefix`; `headers` go out
    as they are.

    `counts_streams`: it understands `stream_options.include_usage`; where it does not, streamed tokens are
    estimated.
    """

    kind: Literal["openai_compatible"] = "openai_compatible"
    base_url: str
    key: Secret = field(default_factory=lambda: Secret(""))
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    headers: dict[str, Secret] = {}
    counts_streams: bool = True
    connect_timeout_seconds: Seconds = 5.0
    first_byte_timeout_seconds: Seconds = 120.0
    idle_timeout_seconds: Seconds = 60.0


class TargetSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider's name for the model; `price` where it differs from the model's."""

    provider: str
    model: str
    price: Price | None = None


class ModelSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What callers call by its name here. `targets` are tried in order; `aliases` are other names for the
    same.

    `labels` are what a chain has touched once it has used this model. `default_output_tokens` are set aside
    where a caller does not say how long the answer may be.
    """

    targets: list[TargetSection]
    aliases: list[str] = []
    price: Price = Price()
    labels: list[str] = []
    default_output_tokens: Annotated[int, Meta(ge=1)] = 1024


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    bind: str = "127.0.0.1:8081"
    server: ServerName = "hypercorn"
    accept: tuple[Credential, ...] = ("identity",)
    providers: dict[str, ProviderSection] = {}
    models: dict[str, ModelSection] = {}
    limits: list[LimitRule] = []
    max_body_bytes: Bytes = 16_777_216
    max_reply_bytes: Bytes = 67_108_864


def problems(section: Section) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found: list[str] = []
    for name, provider in section.providers.items():
        found += [f"providers.{name}.{problem}" for problem in _provider(provider)]
    for name, model in section.models.items():
        found += [f"models.{name}.{problem}" for problem in _model(model, section.providers)]
    found += [f"models.{problem}" for problem in _names(section.models)]
    found += [f"limits{problem}" for problem in limit_problems(section.limits)]
    if not section.accept:
        found.append("accept: must name at least one kind of credential, or nobody can call")
    if not section.bind.rpartition(":")[2].isdigit():
        found.append(f"bind: {section.bind!r} is not host:port")
    return found


def _names(models: dict[str, ModelSection]) -> Iterator[str]:
    """What is wrong with what models are called: no policy could speak of it, or it means two of them."""
    taken: dict[str, str] = {}
    for name, model in models.items():
        places = {name: name} | {f"{name}.aliases[{n}]": alias for n, alias in enumerate(model.aliases)}
        for place, called in places.items():
            if not _NAME.fullmatch(called):
                yield f"{place}: {called!r} is no name for a model (letters, digits, ._:/@+-)"
            if called in taken:
                yield f"{place}: {called!r} is already a name of {taken[called]!r}"
            taken.setdefault(called, name)


def _provider(provider: ProviderSection) -> Iterator[str]:
    if not _is_address(provider.base_url):
        yield "base_url: must be an http(s) address without credentials and query"
    named = {"key_header": provider.key_header} | {f"headers.{name}": name for name in provider.headers}
    for path, name in named.items():
        if not _HEADER.fullmatch(name):
            yield f"{path}: {name!r} is no header name in lower case"
        elif name in _RESERVED_HEADERS:
            yield f"{path}: {name!r} is written by the gateway itself"
    secrets = {"key": provider.key} | {f"headers.{name}": value for name, value in provider.headers.items()}
    for path, secret in secrets.items():
        if any(not " " <= character <= "~" for character in secret.reveal()):
            yield f"{path}: holds a line break or another character that no header may have"


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        beyond = url.query or url.fragment or url.username or url.password
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.hostname) and not beyond


def _model(model: ModelSection, providers: dict[str, ProviderSection]) -> Iterator[str]:
    known = ", ".join(sorted(providers)) or "none"
    if not model.targets:
        yield "targets: must name at least one provider and its model"
    for n, target in enumerate(model.targets):
        if target.provider not in providers:
            yield f"targets[{n}].provider: {target.provider!r} is not configured (providers: {known})"
        if not target.model:
            yield f"targets[{n}].model: must not be empty"
