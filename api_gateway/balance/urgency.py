"""Who goes first where requests wait: by what policy knows of the caller, never by what a client says of
itself; and how long a client will wait at all, which only it can know.
"""

import math
import re
from collections.abc import Sequence

from msgspec import Struct

from api_gateway.balance.settings import Priority
from api_gateway.balance.split import sends
from shared.asgi import Exchange
from shared.errors import BadRequest
from shared.identity.principal import Caller
from shared.policy import PolicyBox
from shared.policy.names import groups

# In seconds from now; what is answered later is of no use to the client.
HEADER = "gatestack-timeout"
_LONGEST = 86_400.0
_SECONDS = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?")


class Urgency(Struct, frozen=True):
    """The higher priority goes first. `patience` is in seconds."""

    priority: int = 0
    patience: float = math.inf


class Urgencies:
    """What the rules say of a request: the first that fits, otherwise 0."""

    def __init__(self, rules: Sequence[Priority] = (), policy: PolicyBox | None = None) -> None:
        self._rules = tuple(
            (rule, tuple((name.lower(), value) for name, value in rule.headers.items())) for rule in rules
        )
        self._policy = policy

    def of(self, exchange: Exchange, caller: Caller, spent: float = 0.0) -> Urgency:
        """`spent` is how long ago the request came, in seconds. Raises BadRequest for a deadline that is
        none.
        """
        priority = next(
            (rule.priority for rule, headers in self._rules if self._fits(rule, headers, exchange, caller)), 0
        )
        return Urgency(priority, patience(exchange) - spent)

    def _fits(
        self, rule: Priority, headers: tuple[tuple[str, str], ...], exchange: Exchange, caller: Caller
    ) -> bool:
        who = caller.principal
        return (
            rule.tier in ("", who.tier)
            and rule.principal in ("", who.sub)
            and (not rule.role or rule.role in self._roles(caller))
            and sends(exchange, headers)
        )

    def _roles(self, caller: Caller) -> set[str]:
        if self._policy is None:
            return set()
        who, roles = caller.principal, self._policy.current.roles
        names = (who.sub, *groups(who.team, who.project, who.tier, who.roles))
        return {role for name in names for role in roles.of(name, who.tenant)}


def patience(exchange: Exchange) -> float:
    """Seconds that the client says it will wait. Raises BadRequest."""
    text = exchange.header(HEADER)
    if text is None:
        return math.inf
    if not _SECONDS.fullmatch(text) or not 0 < float(text) <= _LONGEST:
        raise BadRequest(f"{HEADER}: seconds from now are needed, like 2.5 (at most {_LONGEST:.0f})")
    return float(text)
