"""Handing on less than one has: scopes that only shrink, bounds that only come closer.

Whether somebody may delegate at all is policy's business, what a chain still has `shared/limits` knows.
"""

from collections.abc import Sequence

import msgspec

from shared.errors import DelegationRefused
from shared.identity.principal import Caller
from shared.policy.glob import covers

Scope = tuple[str, ...]
# A scope that covers nothing: an empty one would mean that nothing is narrowed.
NOTHING: Scope = ("none:",)
_LONGEST_SCOPE = 64
_MOST_SHARES = 8


def within(scope: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether all that `wanted` covers is covered by `scope`; an empty scope covers everything."""
    if not scope:
        return True
    # A star in the narrower pattern is matched by a star of the wider one and by nothing else.
    return bool(wanted) and all(any(covers(wide, narrow) for wide in scope) for narrow in wanted)


def meet(scope: Scope, other: Scope) -> Scope:
    """What both scopes cover, or less where two patterns overlap without one covering the other."""
    if not scope or not other:
        return scope or other
    found = [one for one in scope if any(covers(wide, one) for wide in other)]
    found += [one for one in other if any(covers(wide, one) for wide in scope)]
    kept = tuple(dict.fromkeys(found))
    if len(kept) > _LONGEST_SCOPE:
        raise DelegationRefused(f"this scope would have more than {_LONGEST_SCOPE} patterns")
    return kept or NOTHING


def narrowed(
    caller: Caller, *, scope: Scope = (), until: int = 0, depth: int | None = None, share: str = ""
) -> Caller:
    """`caller` with less: what is not named stays as it is, and nothing becomes more. Raises
    DelegationRefused.
    """
    bounds, principal = caller.bounds, caller.principal
    shares = (*bounds.shares, share) if share else bounds.shares
    if len(shares) > _MOST_SHARES:
        raise DelegationRefused(f"this budget has been shared out {_MOST_SHARES} times already")
    return msgspec.structs.replace(
        caller,
        principal=msgspec.structs.replace(principal, scope=meet(principal.scope, scope)),
        bounds=msgspec.structs.replace(
            bounds,
            until=min(filter(None, (bounds.until, until)), default=0),
            depth=min((cap for cap in (bounds.depth, depth) if cap is not None), default=None),
            shares=shares,
        ),
    )
