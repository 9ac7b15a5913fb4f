"""Tokens for trying things: one that stands for somebody, for a short time, and what any token says.

Only an operator of the whole stack gets one, and each is an entry of the ledger that names for whom it was.
"""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.admin.keys import check_principal
from api_gateway.control import Control
from api_gateway.gateways import INNER
from shared.clock import Clock
from shared.errors import BadRequest, DelegationRefused, Forbidden, Unauthenticated, Unavailable
from shared.identity import jws
from shared.identity.principal import Caller, ChainBudget, Principal
from shared.identity.signing import Signer
from shared.identity.token import DELEGATION, IDENTITY, delegation_claims, identity_claims
from shared.identity.verify import LEEWAY_SECONDS, Verifier
from shared.ledger.entry import new_id

_EDGE = "api_gateway"
_LONGEST = {"identity": 120, "delegation": 3600}


class NewToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `delegation` token is what the agents in `via` could call the edge with, on behalf of `sub`; an
    `identity` token (header `Txn-Token`) is what the edge would tell the gateway `audience`.
    """

    sub: str
    tenant: str
    kind: Literal["delegation", "identity"] = "delegation"
    via: tuple[str, ...] = ()
    audience: str = ""
    team: str = ""
    project: str = ""
    tier: str = ""
    scope: tuple[str, ...] = ()
    budget: ChainBudget = ChainBudget()
    seconds: int = 60


class Shown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: str


class Tokens:
    """The calls of the pages below, over this edge's keys. `budget` is what any chain may use at most, as for
    keys.
    """

    def __init__(
        self, signer: Signer, verifier: Verifier, clock: Clock, budget: ChainBudget, max_depth: int
    ) -> None:
        self._signer = signer
        self._verifier = verifier
        self._clock = clock
        self._budget = budget
        self._max_depth = max_depth

    async def make(self, control: Control, ask: Ask) -> Answer:
        """A token that stands for somebody, for a short time."""
        wanted = ask.read(NewToken)
        _check(wanted, ask)
        caller = _caller(wanted, self._budget, self._max_depth)
        delegation = wanted.kind == "delegation"
        typ = DELEGATION if delegation else IDENTITY
        claims = _claims(wanted, caller, self._signer.issuer, self._clock)
        ask.entry.findings += (f"token:{wanted.kind}:{caller.actor}",)
        ask.entry.detail = f"{' -> '.join(caller.actors)} in {wanted.tenant} for {wanted.seconds} s"
        return 201, {
            "token": self._signer.sign(claims, typ=typ),
            "typ": typ,
            "header": "authorization" if delegation else "txn-token",
            "expires_at": claims["exp"],
            "claims": claims,
        }

    async def decode(self, control: Control, ask: Ask) -> Answer:
        """The claims of any token of this stack, and whether it would be believed, with the reason if not."""
        if not ask.all_tenants:
            raise Forbidden("tokens are read by operators of the whole stack only")
        return 200, await _decoded(ask.read(Shown).token.strip(), self._verifier, self._clock)


def pages(tokens: Tokens) -> tuple[Page, ...]:
    return (
        Page(
            method="POST",
            path="/tokens",
            area="tokens",
            action="manage",
            call=tokens.make,
            body=NewToken,
            status=201,
        ),
        Page(
            method="POST", path="/tokens/decode", area="tokens", action="read", call=tokens.decode, body=Shown
        ),
    )


async def _decoded(token: str, verifier: Verifier, clock: Clock) -> dict[str, Any]:
    """Raises BadRequest where it is no token at all."""
    try:
        unverified = jws.read(token)
    except Unauthenticated as error:
        raise BadRequest(error.detail, cause=error) from error
    problems = []
    try:
        await verifier.authentic(token, typ=unverified.header.typ)
        signed = True
    except (Unauthenticated, Unavailable) as error:
        signed, problems = False, [error.detail]
    problems += _untimely(unverified.claims, clock.now())
    return {
        "typ": unverified.header.typ,
        "kid": unverified.header.kid,
        "claims": unverified.claims,
        "signed": signed,
        "valid": not problems,
        "problems": problems,
    }


def _untimely(claims: dict[str, Any], now: float) -> list[str]:
    found = []
    times: list[tuple[str, str, Callable[[int], bool]]] = [
        ("exp", "it has expired", lambda at: now >= at + LEEWAY_SECONDS),
        ("iat", "it was issued in the future", lambda at: now < at - LEEWAY_SECONDS),
    ]
    for name, text, wrong in times:
        value = claims.get(name)
        if type(value) is not int:
            found.append(f"its {name} is not a whole number of seconds")
        elif wrong(value):
            found.append(text)
    return found


def _check(wanted: NewToken, ask: Ask) -> None:
    if not ask.all_tenants:
        raise Forbidden("tokens for trying are made by operators of the whole stack only")
    check_principal("sub", wanted.sub)
    for place, name in enumerate(wanted.via):
        check_principal(f"via[{place}]", name)
    own = ask.caller.principal
    if not wanted.tenant or (wanted.tenant == own.tenant and wanted.sub != own.sub):
        raise BadRequest(
            "tenant: name a tenant that is not the operators' own; there you may only be yourself"
        )
    longest = _LONGEST[wanted.kind]
    if not 1 <= wanted.seconds <= longest:
        raise BadRequest(f"seconds: between 1 and {longest} for a token of this kind; make a key for longer")
    if wanted.kind == "delegation" and not wanted.via:
        raise BadRequest("via: name the agents that act for them, like agent:planner; else make a key")
    if wanted.kind == "identity" and wanted.audience not in INNER:
        raise BadRequest(f"audience: name the gateway that it is for: {', '.join(INNER)}")


def _caller(wanted: NewToken, budget: ChainBudget, max_depth: int) -> Caller:
    caller = Caller(
        principal=Principal(
            sub=wanted.sub,
            tenant=wanted.tenant,
            team=wanted.team,
            project=wanted.project,
            tier=wanted.tier,
            scope=wanted.scope,
        ),
        actors=(wanted.sub,),
        chain=new_id(),
        credential="operator",
        budget=budget.narrowed(wanted.budget),
    )
    try:
        for agent in wanted.via:
            caller = caller.through(agent, max_depth=max_depth)
    except DelegationRefused as error:
        raise BadRequest(f"via: {error.detail}", cause=error) from error
    return caller


def _claims(wanted: NewToken, caller: Caller, issuer: str, clock: Clock) -> dict[str, Any]:
    if wanted.kind == "delegation":
        return delegation_claims(
            caller,
            issuer=issuer,
            audience=_EDGE,
            entry_id="",
            trace=None,
            ttl=wanted.seconds,
            clock=clock,
        )
    return identity_claims(
        caller,
        issuer=issuer,
        audience=wanted.audience,
        entry_id="",
        trace=None,
        ttl=wanted.seconds,
        clock=clock,
    )
