"""What a token becomes when it is exchanged: pure, so that a test can try every sequence of exchanges."""

from msgspec import Struct

from shared.errors import BadRequest
from shared.identity import narrow
from shared.identity.principal import Caller


class Wanted(Struct, frozen=True, kw_only=True):
    """What is asked for. `targets` are the scopes that audience and resource stand for, `share` a branch of
    the budget as `shared/limits/branch.py` writes it.
    """

    scope: narrow.Scope = ()
    targets: narrow.Scope = ()
    seconds: int | None = None
    depth: int | None = None
    share: str = ""


def exchanged(caller: Caller, wanted: Wanted, now: int, longest: int) -> Caller:
    """`caller` with what is wanted and never more. `now` in seconds; no sequence of exchanges outlives
    `longest` seconds after the first. Raises BadRequest, DelegationRefused.
    """
    scope = caller.principal.scope
    if wanted.scope and not narrow.within(scope, wanted.scope):
        raise BadRequest(
            f"the token that you exchange covers less than that: {' '.join(scope)}", data="invalid_scope"
        )
    if wanted.seconds == 0:
        raise BadRequest("expires_in: a token that is valid for no time is of no use")
    until = caller.bounds.until or now + longest
    if until <= now:
        raise BadRequest("the time that this delegation was given is over")
    if wanted.seconds is not None:
        until = min(until, now + wanted.seconds)
    if wanted.depth is not None and wanted.depth < 0:
        raise BadRequest("depth: how many more agents may be handed this, 0 for none")
    narrowed = narrow.narrowed(
        caller,
        scope=wanted.scope,
        until=until,
        depth=None if wanted.depth is None else caller.depth + wanted.depth,
        share=wanted.share,
    )
    if wanted.targets:
        narrowed = narrow.narrowed(narrowed, scope=wanted.targets)
        if narrowed.principal.scope == narrow.NOTHING:
            raise BadRequest("the token that you exchange is of no use there", data="invalid_target")
    return narrowed
