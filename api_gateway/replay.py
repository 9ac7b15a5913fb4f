"""Stage: a request with an idempotency key is carried out once; who sends it again gets the first answer.

It stands behind policy and limits: what was allowed once is not allowed for good.
"""

import contextlib
import re
from hashlib import sha256

import msgspec

from api_gateway import guard
from api_gateway.answer import Answer, Keeping, KeptAnswer
from api_gateway.errand import Errand, Forward
from api_gateway.idempotency_keys import Claim, Idempotency, IdempotencyKeys, Slot, State
from api_gateway.relay import relay
from api_gateway.written_path import written_path
from shared.asgi import Exchange
from shared.errors import BadRequest, Refusal, Unavailable, UpstreamFault
from shared.http_client import never_sent
from shared.identity.principal import Caller

HEADER = "idempotency-key"
_REPLAYED = (b"idempotent-replayed", b"true")
# A structured-field string, as the draft has it, or the same without its quotes.
_KEY = re.compile(r'"?([!#-\[\]-~]{1,255})"?')
# These say that nothing was done and when to come back.
_UNDONE = frozenset((429, 503))
# Why an answer is not there.
_GONE: dict[State, str] = {
    "gone": "was too large to be kept",
    "kept": "is no longer kept: there was no room left for it",
}


class Conflict(BadRequest):
    """The key's first request has no answer that could be given again."""

    status = 409


class OtherRequest(BadRequest):
    """The key was used for something else."""

    status = 422


class Replay:
    def __init__(self, keys: IdempotencyKeys, forward: Forward) -> None:
        self._keys = keys
        self._forward = forward

    async def __call__(self, errand: Errand) -> None:
        """Raises BadRequest, Conflict, LimitExceeded, OtherRequest, TooLarge, Unavailable and what forwarding
        raises.
        """
        exchange, flight, caller = errand.exchange, errand.flight, errand.caller
        rule = errand.upstream.idempotency
        assert rule is not None
        key = key_of(exchange, required=rule.required)
        if not key:
            await self._forward(errand)
            return
        # A client that has lost patience will ask again: what it started is brought to its end.
        flight.stay()
        slot = _slot(key, caller, flight.entry.resource)
        claim = Claim(by=flight.entry.id, fingerprint=await _fingerprint(exchange, rule))
        earlier = await self._keys.claim(slot, claim, rule)
        if earlier is not None:
            answer = _again(*earlier, claim)
            flight.entry.cache = "replay"
            exchange.stamps.append(_REPLAYED)
            await relay(exchange, flight, answer, errand.upstream)
            return
        attempt = _Attempt(self._keys, rule, slot, claim)
        try:
            async with self._keys.standing_by(slot):
                await self._forward(msgspec.structs.replace(errand, through=attempt.keeping))
        except BaseException as error:
            await attempt.failed(error)
            raise


class _Attempt:
    """The one request that a key stands for, and what is put on record of it."""

    def __init__(self, keys: IdempotencyKeys, rule: Idempotency, slot: Slot, claim: Claim) -> None:
        self._keys = keys
        self._rule = rule
        self._slot = slot
        self._claim = claim
        self._status = 0
        self._settled = False

    def keeping(self, answer: Answer) -> Answer:
        self._status = answer.status
        return Keeping(answer, guard.outward(answer.headers), self._rule.max_answer_bytes, self._keep)

    async def failed(self, error: BaseException) -> None:
        """Where nothing was sent the key is free again; otherwise nobody can tell what was done."""
        if self._settled:
            return
        untouched = isinstance(error, Refusal | Unavailable) or (
            isinstance(error, UpstreamFault) and never_sent(error)
        )
        await self._settle(None if untouched else "lost")

    async def _keep(self, answer: KeptAnswer | None) -> None:
        if self._status in _UNDONE:
            await self._settle(None)
        else:
            await self._settle("gone" if answer is None else "kept", answer)

    async def _settle(self, state: State | None, answer: KeptAnswer | None = None) -> None:
        """None frees the key."""
        # Without a record the key stays taken: then nobody repeats it, and this answer still goes out.
        with contextlib.suppress(Unavailable):
            if state is None:
                await self._keys.free(self._slot, self._claim)
            else:
                after = msgspec.structs.replace(self._claim, state=state, status=self._status)
                await self._keys.settle(self._slot, self._claim, after, self._rule, answer)
        self._settled = True


def key_of(exchange: Exchange, *, required: bool) -> str:
    """The request's key, "" without one. Raises BadRequest."""
    text = exchange.header(HEADER)
    if text is None and required:
        raise BadRequest(f"{HEADER}: this route needs one: send a new random value with each new request")
    if text is None:
        return ""
    found = _KEY.fullmatch(text)
    if found is None or (text[0] == '"') != (text[-1] == '"'):
        raise BadRequest(f"{HEADER}: up to 255 visible characters are needed, in double quotes or without")
    return found[1]


def _again(earlier: Claim, answer: KeptAnswer | None, claim: Claim) -> KeptAnswer:
    """The answer that the key stands for. Raises OtherRequest, Conflict."""
    if earlier.fingerprint != claim.fingerprint:
        raise OtherRequest(f"{HEADER}: this key was used for another request: a new request needs a new key")
    if answer is not None:
        return answer
    if earlier.state in _GONE:
        raise Conflict(
            f"{HEADER}: this request was carried out with status {earlier.status}; its answer "
            f"{_GONE[earlier.state]}"
        )
    if earlier.state == "lost":
        raise Conflict(
            f"{HEADER}: this request was sent and its answer was lost: find out what it did before you send "
            "it again with a new key"
        )
    raise Conflict(f"{HEADER}: this request is still being answered: try again later", retry_after=1.0)


def _slot(key: str, caller: Caller, route: str) -> Slot:
    """Whose key it is, and where: nobody can ask for another one's answer."""
    parts = (route, *caller.actors, caller.principal.project, key)
    name = sha256(msgspec.json.encode(parts)).hexdigest()
    return Slot(tenant=caller.principal.tenant, route=route, name=name)


async def _fingerprint(exchange: Exchange, rule: Idempotency) -> bytes:
    body = await exchange.peek(rule.max_body_bytes) if exchange.expects_body else b""
    said = (
        exchange.method,
        written_path(exchange).encode("latin-1"),
        exchange.query,
        exchange.header_or_none("content-type"),
        sha256(body).digest(),
    )
    return sha256(msgspec.msgpack.encode(said)).digest()
