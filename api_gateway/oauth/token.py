"""`POST /oauth/token`: one token for another that can do less, or that says who else acts (RFC 8693).

A delegation token becomes a fresh one for as long as its chain lives; together with an agent's own key, or
the token of its identity provider, it becomes one in which that agent acts. Nothing that comes out is
wider than what went in.
"""

import msgspec

from api_gateway.oauth.bearers import Bearers
from api_gateway.oauth.exchange import Wanted, exchanged
from api_gateway.oauth.form import Form, answer, headers, read_form
from api_gateway.oauth.frame import OAuthFrame
from api_gateway.oauth.targets import targeted
from shared.account import Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.chain import ChainState
from shared.clock import Clock
from shared.errors import BadRequest, BudgetExceeded, DelegationRefused, Unauthenticated
from shared.identity import narrow
from shared.identity.principal import Caller
from shared.identity.signing import Signer
from shared.identity.token import DELEGATION, delegation_claims
from shared.limits.branch import share_of

PATH = "/oauth/token"
_ACTION = "invoke"


class TokenEndpoint:
    """`seconds` is how long a token is valid, `longest` for how long one chain can be kept going by exchange.

    Policy is asked for `route:oauth`, and where an agent joins the chain for `agent:<name>`: `delegate` when
    the agent has proved itself with a key of its own, `vouch` when the caller only names it.
    """

    def __init__(
        self,
        *,
        frame: OAuthFrame,
        bearers: Bearers,
        signer: Signer,
        clock: Clock,
        seconds: int,
        longest: int,
        max_depth: int,
    ) -> None:
        self._frame = frame
        self._bearers = bearers
        self._signer = signer
        self._clock = clock
        self._seconds = seconds
        self._longest = longest
        self._max_depth = max_depth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange, frame = Exchange(scope, receive, send), self._frame
        async with frame.posted(exchange, _ACTION) as (flight, body):
            form = read_form(exchange, body)
            with self._bearers.refused.counted(exchange):
                actor = await self._actor(form, flight)
                subject = await self._bearers.of(form.subject)
            flight.identify(subject)
            onward = self._grown(subject, actor, form)
            flight.entry.caller = onward
            flight.check()
            flight.granted(frame.authorize(onward, _ACTION))
            await frame.charge(flight, frame.authorize(subject, _ACTION))
            await self._issue(exchange, flight, subject, onward, form)

    async def _actor(self, form: Form, flight: Flight) -> Caller | None:
        """Who presents the subject token, where they prove to be somebody else. Asks the kill list about
        them.
        """
        if not form.presented:
            return None
        if len(form.presented) > 1:
            raise BadRequest("this request has two different actors: send one credential beside the subject")
        try:
            actor = await self._bearers.own(next(iter(form.presented)))
            if actor is None:
                raise Unauthenticated(
                    "an actor proves itself with a key or a token of its own: what it was given to act for "
                    "somebody says nothing about it"
                )
        except Unauthenticated as error:
            raise Unauthenticated(error.detail, data="invalid_client", cause=error.cause) from error
        flight.entry.caller = actor
        flight.check()
        return actor

    def _grown(self, subject: Caller, actor: Caller | None, form: Form) -> Caller:
        """`subject` as the one who asks will act for it. Raises DelegationRefused, Forbidden, Unapproved."""
        if actor is None and not form.actor:
            if subject.depth == 0:
                raise BadRequest(
                    "a key names nobody who acts for its owner: send the agent's own key as actor_token, or "
                    "name the agent as requested_actor"
                )
            return subject
        name = form.actor or (actor.actor if actor is not None else "")
        if actor is not None:
            _related(subject, actor, name)
            # No more than the key of the actor allows.
            narrower = narrow.narrowed(subject, scope=actor.principal.scope)
            if subject.actor == name:
                return narrower
        else:
            narrower = subject
        if not name.startswith("agent:") or not name.isprintable() or "*" in name:
            raise BadRequest("only an agent can act for somebody else: agent:<name>")
        self._frame.unasked(subject, name, "delegate" if actor is not None else "vouch")
        return narrower.through(name, max_depth=self._max_depth)

    async def _issue(
        self, exchange: Exchange, flight: Flight, subject: Caller, onward: Caller, form: Form
    ) -> None:
        """Raises BadRequest where more is asked for than there is, BudgetExceeded when the chain is over."""
        state = await self._frame.limiter.state(subject.principal.tenant, subject.chain)
        now = self._clock.now_us()
        wanted = Wanted(
            scope=form.scope,
            targets=targeted(form.targets, exchange.header("host") or ""),
            seconds=form.seconds,
            depth=form.depth,
            share=share_of(state.remaining(onward.budget, now), form.share) if form.share is not None else "",
        )
        onward = exchanged(onward, wanted, int(self._clock.now()), self._longest)
        seconds = self._lifetime(onward, state, now)
        claims = delegation_claims(
            # A fresh token stands where the old one stood; only what an agent joins hangs below this entry.
            msgspec.structs.replace(onward, hop=onward.hop - (onward.actors == subject.actors)),
            issuer=self._signer.issuer,
            entry_id=onward.parent if onward.actors == subject.actors else flight.entry.id,
            trace=flight.trace,
            ttl=seconds,
            clock=self._clock,
        )
        token = self._signer.sign(claims, typ=DELEGATION)
        flight.entry.detail = f"a token for {onward.actor}, valid for {claims['exp'] - claims['iat']} s"
        body = answer(token, claims["exp"] - claims["iat"], onward.principal.scope)
        await exchange.reply(200, headers(), body)

    def _lifetime(self, onward: Caller, state: ChainState, now: int) -> int:
        left = state.remaining(onward.budget, now).seconds
        if left is not None and left <= 0:
            raise BudgetExceeded("this chain has used up its time")
        return self._seconds if left is None else min(self._seconds, left)


def _related(subject: Caller, actor: Caller, name: str) -> None:
    """Raises DelegationRefused when the two have nothing to do with each other."""
    if actor.principal.tenant != subject.principal.tenant:
        raise DelegationRefused("the actor and the subject belong to two different tenants")
    if name != actor.actor:
        raise DelegationRefused("requested_actor is not the one that the actor's key stands for")
