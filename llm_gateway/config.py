"""The model gateway's own section of `gatestack.yaml`."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from llm_gateway.cache.config import CacheSection
from llm_gateway.cache.config import problems as cache_problems
from llm_gateway.endpoints.settings import EndpointsSection
from llm_gateway.endpoints.settings import problems as endpoint_problems
from llm_gateway.guards.problems import problems as guard_problems
from llm_gateway.guards.section import AnyGuardSection
from llm_gateway.known import OpenAIWire, table
from llm_gateway.prices import Price
from llm_gateway.prices import problems as price_problems
from llm_gateway.quirks import Quirks
from llm_gateway.router.section import MAIN, RouterSection, RoutingSection, mirror_problems, router_problems
from llm_gateway.router.section import problems as routing_problems
from llm_gateway.transcripts.section import TranscriptSection
from llm_gateway.transcripts.section import problems as transcript_problems
from shared.authenticators.credential import Kind
from shared.config import Secret
from shared.identity.grant import ServiceAccount
from shared.limits.rule import LimitRule
from shared.limits.rule import problems as limit_problems
from shared.server import ServerName
from shared.tls import Tls

Seconds = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=1)]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
_PLACE = re.compile(r"[a-z0-9:.-]*")
_HEADER = re.compile(r"[a-z0-9][a-z0-9-]*")
# Ours to write: a provider's section may not set them.
_RESERVED_HEADERS = frozenset(
    ("host", "content-length", "content-type", "accept", "accept-encoding", "connection")
)


class KeySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several keys; one of weight 2 is used twice as often as one of weight 1."""

    key: Secret
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1


class ProviderSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that answers. `key` goes out as the header `key_header`, after `key_prefix`; `headers` go out
    as they are. Of several `keys` one that is refused rests for `key_cooldown_seconds`.

    `known` names a row of the table of known providers, which says what is not said here; so does the
    provider's own name where there is no `base_url`. `counts_streams`: it understands
    `stream_options.include_usage`; where it does not, streamed tokens are estimated. `wires` are the formats
    that it speaks, `paths` those of them that are not where OpenAI has them, `quirks` what else differs.

    Azure: `api_version` where deployments are in the path. Bedrock: `region` and either the three secrets
    of an AWS account or a `key`. Vertex: `project`, `region` (Google's location) and either
    `service_account`, the text of its key file, or a token as `key`. Agents: `base_url` is the edge; with
    one such provider every agent is a model, too, `agent:<name>`.
    """

    kind: Literal[
        "openai_compatible", "anthropic", "azure_openai", "bedrock", "gemini", "vertex", "agent"
    ] = "openai_compatible"
    known: str = ""
    base_url: str = ""
    key: Secret = field(default_factory=lambda: Secret(""))
    keys: list[KeySection] = []
    key_cooldown_seconds: Seconds = 60.0
    key_header: str | None = None
    key_prefix: str | None = None
    headers: dict[str, Secret] = {}
    counts_streams: bool | None = None
    wires: tuple[OpenAIWire, ...] | None = None
    paths: dict[str, str] = {}
    quirks: Quirks | None = None
    api_version: str = ""
    region: str = ""
    access_key: Secret = field(default_factory=lambda: Secret(""))
    secret_key: Secret = field(default_factory=lambda: Secret(""))
    session_token: Secret = field(default_factory=lambda: Secret(""))
    project: str = ""
    service_account: Secret = field(default_factory=lambda: Secret(""))
    connect_timeout_seconds: Seconds = 5.0
    first_byte_timeout_seconds: Seconds = 120.0
    idle_timeout_seconds: Seconds = 60.0


class TargetSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider's name for the model; `price` where it differs from the model's.

    Targets of another `group` than the main one are asked only where `routing` names the group. `weight` is
    the target's share of the calls where the strategy heeds it. `context_window` is in tokens; without it,
    that of public models is known. `expect_model` is a pattern for the name that the provider answers under.
    """

    provider: str
    model: str
    price: Price | None = None
    group: str = MAIN
    weight: Annotated[float, Meta(ge=0)] = 1.0
    context_window: Annotated[int, Meta(ge=1)] | None = None
    expect_model: str = ""


class ModelSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What callers call by its name here. `targets` are tried in order; `aliases` are other names for the
    same.

    `labels` are what a chain has touched once it has used this model. `default_output_tokens` are set aside
    where a caller does not say how long the answer may be. `untranslatable`: what becomes of members that the
    provider's wire format has no words for.
    """

    targets: list[TargetSection]
    aliases: list[str] = []
    price: Price | None = None
    labels: list[str] = []
    default_output_tokens: Annotated[int, Meta(ge=1)] = 1024
    untranslatable: Literal["drop", "refuse"] = "drop"
    routing: RoutingSection = RoutingSection()


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`remote_tools`: callers may bring MCP servers and connectors, which providers then call. `account_ids`:
    they may name files, stores, containers and caches in a provider's account, other callers' too.
    """

    bind: str = "127.0.0.1:8081"
    server: ServerName = "hypercorn"
    tls: Tls | None = None
    accept: tuple[Kind, ...] = ("identity",)
    providers: dict[str, ProviderSection] = {}
    models: dict[str, ModelSection] = {}
    limits: list[LimitRule] = []
    prices_file: str = ""
    count_tokens: Literal["limited", "always", "never"] = "limited"
    router: RouterSection = RouterSection()
    remote_tools: bool = False
    account_ids: bool = False
    guards: list[AnyGuardSection] = []
    cache: CacheSection | None = None
    max_body_bytes: Bytes = 16_777_216
    max_reply_bytes: Bytes = 67_108_864
    endpoints: EndpointsSection = EndpointsSection()
    transcripts: list[TranscriptSection] = []


def problems(section: Section) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found: list[str] = []
    for name, provider in section.providers.items():
        found += [f"providers.{name}.{problem}" for problem in _provider(name, provider)]
    for name, model in section.models.items():
        found += [f"models.{name}.{problem}" for problem in _model(model, section.providers)]
    found += [f"models.{problem}" for problem in _names(section.models)]
    found += [f"providers.{problem}" for problem in _agents(section.providers)]
    found += [f"limits{problem}" for problem in limit_problems(section.limits)]
    found += [f"endpoints.{problem}" for problem in endpoint_problems(section.endpoints, section.providers)]
    found += [f"router.{problem}" for problem in router_problems(section.router, section.models)]
    if section.cache is not None:
        found += [f"cache.{problem}" for problem in cache_problems(section.cache)]
    found += [f"guards{problem}" for problem in guard_problems(section.guards)]
    found += [f"transcripts{problem}" for problem in transcript_problems(section.transcripts)]
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
            if called.startswith("agent:"):
                yield f"{place}: {called!r} is what an agent is called as a model"
            if called in taken:
                yield f"{place}: {called!r} is already a name of {taken[called]!r}"
            taken.setdefault(called, name)


def _agents(providers: dict[str, ProviderSection]) -> Iterator[str]:
    """Agents have one door, and no credential but their callers'."""
    found = [name for name, provider in providers.items() if provider.kind == "agent"]
    yield from (f"{name}.kind: {found[0]!r} is one of kind agent already" for name in found[1:])
    for name in found:
        own = providers[name]
        if own.key or own.keys or own.headers:
            yield f"{name}: agents are asked on behalf of each caller: leave key, keys and headers out"


def _provider(name: str, provider: ProviderSection) -> Iterator[str]:
    yield from _place(name, provider)
    yield from _credential(provider)
    named = {"key_header": provider.key_header or "authorization"}
    for path, header in (named | {f"headers.{name}": name for name in provider.headers}).items():
        if not _HEADER.fullmatch(header):
            yield f"{path}: {header!r} is no header name in lower case"
        elif header in _RESERVED_HEADERS:
            yield f"{path}: {header!r} is written by the gateway itself"
    secrets = {"key": provider.key} | {f"keys[{n}].key": each.key for n, each in enumerate(provider.keys)}
    secrets |= {f"headers.{name}": value for name, value in provider.headers.items()}
    for path, secret in secrets.items():
        if any(not " " <= character <= "~" for character in secret.reveal()):
            yield f"{path}: holds a line break or another character that no header may have"


def _place(name: str, provider: ProviderSection) -> Iterator[str]:
    """What is wrong with where a provider is. Its address may come from the table, or from its region."""
    if provider.known and provider.kind != "openai_compatible":
        yield f"known: the table holds no providers of kind {provider.kind}"
    elif provider.known and provider.known not in table():
        yield f"known: {provider.known!r} is not in the table of known providers: {', '.join(table())}"
    if provider.base_url:
        if not _is_address(provider.base_url):
            yield "base_url: must be an http(s) address without credentials and query"
        return
    if provider.kind == "openai_compatible":
        row = table().get(provider.known or name)
        if row is None and not provider.known:
            yield f"base_url: is missing, and {name!r} is not in the table of known providers"
        elif row is not None and "{" in row.base_url:
            yield f"base_url: must be said, like {row.base_url}"
        return
    needed = {
        "agent": "base_url: must be the address of the edge",
        "azure_openai": "base_url: must be the resource's endpoint, like https://name.openai.azure.com",
        "bedrock": "" if provider.region else "region: must be said",
    }
    yield from filter(None, [needed.get(provider.kind, "")])


def _credential(provider: ProviderSection) -> Iterator[str]:
    if provider.keys and provider.key:
        yield "keys: `key` and `keys` exclude each other"
    if provider.kind == "vertex":
        yield from _vertex(provider)
    yield from (f"keys[{n}].key: is empty" for n, each in enumerate(provider.keys) if not each.key)
    if bool(provider.access_key) != bool(provider.secret_key):
        yield "access_key: access_key and secret_key belong together"
    if provider.kind != "bedrock":
        return
    if provider.access_key and not provider.region:
        yield "region: must be said, signatures hold it"
    if bool(provider.access_key) == bool(provider.key or provider.keys):
        yield "access_key: either access_key and secret_key, or key (an API key for Bedrock)"


def _vertex(provider: ProviderSection) -> Iterator[str]:
    yield from (f"{name}: must be said" for name in ("project", "region") if not getattr(provider, name))
    if not _PLACE.fullmatch(provider.project + provider.region):
        yield "project: project and region are lower case letters, digits and hyphens"
    if bool(provider.service_account) == bool(provider.key or provider.keys):
        yield "service_account: either service_account (the text of its key file) or key (a token)"
    if provider.service_account:
        try:
            ServiceAccount.read(provider.service_account.reveal())
        except ValueError as error:
            yield f"service_account: {error}"


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
    prices = [("price", model.price)]
    prices += [(f"targets[{n}].price", target.price) for n, target in enumerate(model.targets)]
    for path, price in prices:
        if price is not None:
            yield from (f"{path}.{problem}" for problem in price_problems(price))
    named = [(target.group, f"{target.provider}/{target.model}") for target in model.targets]
    yield from routing_problems(model.routing, named)
    known_kinds = [
        (each.group, providers[each.provider].kind) for each in model.targets if each.provider in providers
    ]
    yield from mirror_problems(model.routing, known_kinds)
