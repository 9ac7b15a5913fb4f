"""JWTs of identity providers (RFC 7519, RFC 8725, RFC 9068): what makes one valid, beside whose it is.

A header chooses among the keys that its issuer publishes and nothing else: `jku`, `jwk` and `x5c` are never
looked at. Such a token is a bearer's: whoever has it can use it again until it expires.
"""

import contextlib
import math
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct

from shared.errors import Unauthenticated
from shared.identity.issuer import Issuer
from shared.identity.jws import Claims, decoded, json_object, malformed, segments
from shared.identity.public_key import PublicKey, algorithms, public_key, signed

_TYPES = ("", "jwt", "at+jwt")
# Claims that say that a token is more, or less, than what its bearer may show to be let in.
_NEVER = {
    "cnf": "this token is bound to a key (cnf), and its proof cannot be asked for here: get a bearer token",
    "events": "this token tells of an event: it lets nobody in",
    "act": "this token says that somebody else acts for its subject (act): get a token of its bearer's own",
}


class Header(Struct, frozen=True):
    """What is looked at; whatever else a header says changes nothing."""

    alg: str
    kid: str = ""
    typ: str = ""
    cty: str = ""
    crit: list[str] | None = None


class Presented(Struct, frozen=True):
    """A well-formed token that nobody has vouched for yet."""

    header: Header
    claims: Claims
    content: bytes
    proof: bytes


class VerifyingKey(Struct, frozen=True):
    """A published key. `alg` is what it is for, where its issuer says so."""

    key: PublicKey
    alg: str = ""


def outside(token: str) -> str:
    """The issuer that a token names, where that is an address; "" else. Our own services have plain names. It
    only says whom to ask about it.
    """
    try:
        issuer = json_object(decoded(segments(token)[1])).get("iss")
    except Unauthenticated:
        return ""
    return issuer if isinstance(issuer, str) and "://" in issuer else ""


def read(token: str) -> Presented:
    """Raises Unauthenticated."""
    head, body, proof = segments(token)
    try:
        header = msgspec.convert(json_object(decoded(head)), Header)
    except msgspec.ValidationError:
        malformed("its header has members of the wrong kind")
    return Presented(header, json_object(decoded(body)), head + b"." + body, decoded(proof))


def check_header(header: Header, issuer: Issuer) -> None:
    """Before any key is looked for. Raises Unauthenticated."""
    if header.alg not in issuer.algorithms:
        raise Unauthenticated(f"this token must be signed with {' or '.join(issuer.algorithms)}")
    if header.crit is not None or header.cty:
        raise Unauthenticated("this token's header asks for what this gateway does not do")
    if not header.kid:
        raise Unauthenticated("this token's header does not name its key (kid)")
    typ = header.typ.lower().removeprefix("application/")
    wanted = issuer.typ.lower().removeprefix("application/")
    if typ != wanted if wanted else typ not in _TYPES:
        raise Unauthenticated(f"this is not a token of type {wanted or 'JWT or at+jwt'}")


def check_signature(token: Presented, key: VerifyingKey | None) -> None:
    """Raises Unauthenticated."""
    alg = token.header.alg
    fits = key is not None and alg in algorithms(key.key) and key.alg in ("", alg)
    if key is None or not fits or not signed(key.key, alg, token.proof, token.content):
        raise Unauthenticated("this token's signature is not one of its issuer's")


def check_claims(claims: Claims, issuer: Issuer, now: float) -> None:
    """Is it for us, for now, and for whoever bears it? Raises Unauthenticated."""
    _for_us(claims.get("aud"), issuer.audiences)
    if issuer.clients and claims.get("azp", claims.get("client_id")) not in issuer.clients:
        raise Unauthenticated("this token was issued to an application that is not accepted here")
    check_time(claims, issuer.leeway_seconds, now)
    for name, why in _NEVER.items():
        if name in claims:
            raise Unauthenticated(why)


def check_time(claims: Claims, leeway: int, now: float) -> None:
    """`now` in seconds since 1970. Raises Unauthenticated."""
    if now >= expiry(claims) + leeway:
        raise Unauthenticated("this token has expired: get a new one")
    starts = [_seconds(claims, name) for name in ("iat", "nbf") if name in claims]
    if starts and now < max(starts) - leeway:
        raise Unauthenticated("this token is not valid yet: check the clocks of both machines")


def expiry(claims: Claims) -> float:
    """In seconds since 1970. Raises Unauthenticated."""
    return _seconds(claims, "exp")


def read_keys(document: bytes) -> dict[str, VerifyingKey]:
    """The keys of a JWK Set (RFC 7517) by kid; those that verify nothing here are skipped. Raises ValueError
    if none are left.
    """
    try:
        members = msgspec.json.decode(document, type=dict[str, Any]).get("keys")
    except RecursionError as error:
        raise ValueError("a key set that is nested too deeply") from error
    keys: dict[str, VerifyingKey] = {}
    for jwk in members if isinstance(members, list) else []:
        with contextlib.suppress(ValueError):
            kid, key = _verifying(jwk)
            # Of two keys with one name, the first is meant: no token can choose.
            keys.setdefault(kid, key)
    if not keys:
        raise ValueError("a key set without a usable key")
    return keys


def _verifying(jwk: Any) -> tuple[str, VerifyingKey]:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
        raise ValueError("not a key that signs")
    kid, alg = jwk.get("kid"), jwk.get("alg", "")
    if not isinstance(kid, str) or not kid or not isinstance(alg, str):
        raise ValueError("a key without a name")
    key = public_key(jwk)
    if alg and alg not in algorithms(key):
        raise ValueError("a key for another algorithm")
    return kid, VerifyingKey(key, alg)


def _for_us(audience: object, ours: Collection[str]) -> None:
    named = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(one, str) and one in ours for one in named):
        raise Unauthenticated("this token is meant for another service")


def _seconds(claims: Claims, name: str) -> float:
    value: Any = claims.get(name)
    # A NumericDate may have a fraction; a bool is an int to Python, but no point in time.
    if type(value) not in (int, float) or not math.isfinite(value):
        raise Unauthenticated(f"this token's {name} is no number of seconds")
    return float(value)
