"""What an operator may say about balancing: the part of `gatestack.yaml` that routes and gateways share."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

StrategyName = Literal["round_robin", "weighted", "least_busy", "power_of_two", "consistent_hash"]
Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(gt=0, le=1)]
Weight = Annotated[float, Meta(gt=0, le=100)]
DNS = "dns:"


class Probe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An active check: GET `path` of each replica about every `interval_seconds`. `fall` failures in a row
    take it out, `rise` successes bring it back.
    """

    path: Annotated[str, Meta(pattern="^/")] = "/healthz"
    interval_seconds: Seconds = 5.0
    timeout_seconds: Seconds = 2.0
    rise: Count = 2
    fall: Count = 3


class Ejection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """After `consecutive` failures in a row a replica gets nothing for `seconds`, twice as long each time it
    happens again. Never more than `max_share` of the replicas at once.
    """

    consecutive: Count = 5
    seconds: Seconds = 10.0
    longest_seconds: Seconds = 300.0
    max_share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    statuses: tuple[int, ...] = (500, 502, 503, 504)


class Retry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `attempts` more tries a request; over all requests not more than `share` of them, `burst` in
    a row.
    """

    attempts: Annotated[int, Meta(ge=0, le=10)] = 2
    share: Share = 0.1
    burst: Count = 10


class Balance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`weights` is by address, as it stands in the list of addresses. `hash_by` (`principal`,
    `header:<name>`, `path:<n>`, counted from 1) and `overload` (how far above its fair share a replica may
    go) belong to consistent_hash.
    """

    strategy: StrategyName = "power_of_two"
    weights: dict[str, Weight] = {}
    hash_by: Annotated[str, Meta(pattern=r"^(principal|header:[A-Za-z0-9-]+|path:[1-9][0-9]?)$")] = (
        "principal"
    )
    overload: Annotated[float, Meta(ge=1)] = 1.25
    health: Probe | None = None
    ejection: Ejection = Ejection()
    retries: Retry = Retry()
    slow_start_seconds: Annotated[float, Meta(ge=0)] = 10.0
    dns_seconds: Seconds = 5.0


class Priority(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom `priority` is for: everything that is named must fit. What the chain's principal is counts, an
    agent in its name included. `headers` (`*` is any value) only count beside one of the others.
    """

    priority: Annotated[int, Meta(ge=-100, le=100)]
    tier: str = ""
    role: str = ""
    principal: str = ""
    headers: dict[str, str] = {}


class Concurrency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `limit` requests at once and `queue` that wait, none longer than `wait_seconds`. Of those the
    ones with the highest priority go first: the first of `priorities` that fits says which. With `adapt`
    fewer than `limit` are let in where answers become slower than they are when the service has time.
    """

    limit: Count
    adapt: bool = False
    queue: Annotated[int, Meta(ge=0)] = 0
    wait_seconds: Seconds = 1.0
    priorities: list[Priority] = []


def named(address: str) -> str:
    """The http(s) address inside a `dns:` one; any other as it is."""
    return address.removeprefix(DNS)


def priority_problems(path: str, rules: Sequence[Priority]) -> list[str]:
    """What is wrong with them, as `path: problem`."""
    return [
        f"{path}[{place}]: name a tier, role or principal: a header alone is anybody's claim"
        for place, rule in enumerate(rules)
        if not (rule.tier or rule.role or rule.principal)
    ]
