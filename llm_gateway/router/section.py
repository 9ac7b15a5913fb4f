"""What an operator may say about routing: of a model under `routing`, of the whole gateway under `router`."""

from collections.abc import Container, Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from llm_gateway.router.conditions import problem
from shared.attempts import BreakerRule

Seconds = Annotated[float, Meta(gt=0)]
Pause = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Count = Annotated[int, Meta(ge=0)]
StrategyName = Literal[
    "order", "weighted", "lowest_cost", "lowest_latency", "least_busy", "highest_availability"
]
Retryable = Literal["connection", "timeout", "rate_limit", "server_error"]
# Words that stand where groups may stand.
NEXT, LARGER = "next", "larger"
_WORDS = (NEXT, LARGER)
# The group of all targets that name none.
MAIN = "main"
# Where a second copy is harmless: it makes nothing, and costs about what the first one does. What counts as
# chat is every conversation, in whichever dialect.
CHAT = "chat"
MIRRORED = (CHAT, "completions", "embeddings", "moderations", "rerank")
# Kinds of providers that have all endpoints, and what others have beside chat.
_HAVE_ALL = frozenset(("openai_compatible", "azure_openai"))
_HAVE = {"gemini": (CHAT, "embeddings")}


class TaskRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls for which `when` holds go to the group `to`."""

    when: str
    to: str


class Examples(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prompts of the operator's own, beside those that come with the gateway."""

    hard: list[str] = []
    easy: list[str] = []


class ClassifierSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where hard and easy calls go; a call is hard from a score of `threshold` up."""

    hard: str = MAIN
    easy: str = MAIN
    threshold: Share = 0.5
    examples: Examples = Examples()


class CanarySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`percent` of the calls that would go to the main group go to `to` instead, and all for which `when`
    holds. Who was chosen once stays chosen: the same principal, or the same chain.
    """

    to: str
    percent: Percent = 0
    when: str = ""
    sticky: Literal["principal", "chain"] = "principal"


class MirrorSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`percent` of the calls of `endpoints` are also sent to the first target of `to`, whose answers nobody
    sees. Beyond `concurrency` at once there are no further copies.
    """

    to: str
    percent: Percent = 100
    endpoints: tuple[str, ...] = (CHAT,)
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 4
    timeout_seconds: Seconds = 60.0


class RetrySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be tried until the first byte of an answer: `attempts` in all within `deadline_seconds`, and
    `per_target` times more at the same target `after` such a failure. The pause before that doubles from
    `backoff_seconds`; one longer than `longest_wait_seconds` is not waited for.
    """

    per_target: Annotated[int, Meta(ge=0, le=10)] = 0
    after: tuple[Retryable, ...] = ("connection", "rate_limit", "server_error")
    attempts: Annotated[int, Meta(ge=1, le=100)] = 10
    deadline_seconds: Seconds = 600.0
    backoff_seconds: Pause = 0.2
    longest_wait_seconds: Pause = 2.0


class FallbackSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is asked after a target has failed in one of these ways: groups, `next` (what remains of the order)
    and `larger` (targets with a larger `context_window`). Nobody where the list is empty.
    """

    error: tuple[str, ...] = (NEXT,)
    timeout: tuple[str, ...] = (NEXT,)
    context: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


class RoutingSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one model's targets are chosen. `explore` is the share of calls on which `lowest_latency` tries
    another one than the fastest.
    """

    strategy: StrategyName = "order"
    explore: Share = 0.05
    rules: list[TaskRule] = []
    classifier: ClassifierSection | None = None
    canary: CanarySection | None = None
    mirror: MirrorSection | None = None
    retries: RetrySection = RetrySection()
    fallbacks: FallbackSection = FallbackSection()


class RetryBudgetSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retries of this process: `share` of its calls, and `per_second` in any case."""

    share: Share = 0.2
    per_second: Annotated[float, Meta(ge=0)] = 2.0


class ProbeSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks every target of the models that names `models` (all where it is empty) how it is, about every
    `interval_seconds`: GET `path` below its base address, or without one a call for one token, which costs.
    """

    interval_seconds: Annotated[float, Meta(ge=1)] = 30.0
    timeout_seconds: Seconds = 10.0
    path: str = ""
    models: list[str] = []


class RouterSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    breaker: BreakerRule = BreakerRule()
    retry_budget: RetryBudgetSection = RetryBudgetSection()
    probes: ProbeSection | None = None


def problems(routing: RoutingSection, targets: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with a model's routing whose `targets` are groups and names."""
    known = frozenset(group for group, _ in targets)
    for n, (group, name) in enumerate(targets):
        if group in _WORDS or not group:
            yield f"targets[{n}].group: {group!r} is no name for a group"
        if (group, name) in targets[:n]:
            yield f"targets[{n}]: {name} is in the group {group!r} already"
    for path, group in _named(routing):
        if group not in known:
            yield f"routing.{path}: no target is in the group {group!r} (groups: {', '.join(sorted(known))})"
    for path, when in _conditions(routing):
        if wrong := problem(when):
            yield f"routing.{path}: {wrong}"
    if targets and MAIN not in known:
        yield f"targets: none is left for the group {MAIN!r}, where calls go that no rule is meant for"
    yield from (f"routing.{wrong}" for wrong in _senseless(routing))


def mirror_problems(routing: RoutingSection, kinds: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with where a mirror listens. `kinds` are the groups of the targets, each with the kind of
    its provider.
    """
    mirror = routing.mirror
    if mirror is None:
        return
    if not mirror.endpoints:
        yield "routing.mirror.endpoints: must name one; leave `mirror` out where nothing is to be copied"
    kind = next((kind for group, kind in kinds if group == mirror.to), "openai_compatible")
    for n, name in enumerate(mirror.endpoints):
        path = f"routing.mirror.endpoints[{n}]"
        if name not in MIRRORED:
            yield f"{path}: no copies are made of {name!r}, only of {', '.join(MIRRORED)}"
        elif kind not in _HAVE_ALL and name not in _HAVE.get(kind, (CHAT,)):
            yield f"{path}: a provider of the kind {kind}, like that of {mirror.to!r}, has no {name}"


def router_problems(router: RouterSection, models: Container[str]) -> Iterator[str]:
    if router.probes is not None:
        for n, name in enumerate(router.probes.models):
            if name not in models:
                yield f"probes.models[{n}]: {name!r} is no model here"


def _senseless(routing: RoutingSection) -> Iterator[str]:
    if routing.canary is not None and not routing.canary.percent and not routing.canary.when:
        yield "canary: give it a percent, or a condition in when"
    if routing.mirror is not None:
        others = {group for path, group in _named(routing) if not path.startswith("mirror")} | {MAIN}
        if routing.mirror.to in others:
            yield "mirror.to: must be a group of its own: nobody pays for what it is asked"
    if LARGER in (*routing.fallbacks.error, *routing.fallbacks.timeout, *routing.fallbacks.content):
        yield f"fallbacks: {LARGER!r} has a meaning under context only"


def _named(routing: RoutingSection) -> Iterator[tuple[str, str]]:
    yield from ((f"rules[{n}].to", rule.to) for n, rule in enumerate(routing.rules))
    if routing.classifier is not None:
        yield from (
            ("classifier.hard", routing.classifier.hard),
            ("classifier.easy", routing.classifier.easy),
        )
    if routing.canary is not None:
        yield "canary.to", routing.canary.to
    if routing.mirror is not None:
        yield "mirror.to", routing.mirror.to
    for kind in FallbackSection.__struct_fields__:
        named = enumerate(getattr(routing.fallbacks, kind))
        yield from ((f"fallbacks.{kind}[{n}]", name) for n, name in named if name not in _WORDS)


def _conditions(routing: RoutingSection) -> Iterator[tuple[str, str]]:
    yield from ((f"rules[{n}].when", rule.when) for n, rule in enumerate(routing.rules))
    if routing.canary is not None and routing.canary.when:
        yield "canary.when", routing.canary.when
