"""Checkpoints: a writer's signature under its chain up to one row, and who may vouch for it.

A checkpoint carries the public key it is signed with. That is no proof, but lets the drain keep each key when
it first sees it, so that later nobody can sign in that writer's place without replacing a key on record.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from shared.errors import Unauthenticated
from shared.identity import jwks, jws
from shared.identity.signing import Signer

TYPE = "checkpoint+jwt"


class Mark(Struct, frozen=True):
    """What a checkpoint says: every row of `writer` up to `seq` was durable, and that row's hash (hex) was
    `hash`."""

    writer: str
    seq: int
    hash: str


class PublicKey(Struct, frozen=True):
    """The key in a checkpoint; `jwk` is its JSON."""

    kid: str
    issuer: str
    jwk: bytes


class _Claims(Struct, frozen=True):
    iss: str
    writer: str
    seq: int
    hash: str
    at: int
    jwk: dict[str, Any]


def sign(signer: Signer, mark: Mark, at: int) -> str:
    claims = msgspec.structs.asdict(mark) | {"at": at, "jwk": _own_key(signer)}
    return signer.sign(claims, typ=TYPE)


def key_of(token: str) -> PublicKey | None:
    """The key that a checkpoint carries, if that key has signed it."""
    try:
        unverified = jws.read(token)
        claims = msgspec.convert(unverified.claims, _Claims)
        kid, jwk = unverified.header.kid, msgspec.json.encode(claims.jwk)
        if not unverified.signed_by(jwks.read(_key_set(jwk))[kid]):
            return None
    except (Unauthenticated, ValueError, KeyError):
        return None
    return PublicKey(kid, claims.iss, jwk)


def claimed(token: str) -> int:
    """The row up to which a checkpoint says that all are there, whoever signed it; 0 where it says
    nothing."""
    try:
        return msgspec.convert(jws.read(token).claims, _Claims).seq
    except (Unauthenticated, ValueError):
        return 0


class Notary:
    """Checks checkpoints against public keys: JWK Sets, and single JWKs as the store keeps them. Raises
    ValueError on a set without a key that can be used; a single one is passed over then."""

    def __init__(self, key_sets: Sequence[bytes] = (), keys: Sequence[bytes] = ()) -> None:
        self._keys: dict[str, Any] = {}
        for document in key_sets:
            self._keys |= jwks.read(document)
        for key in keys:
            with contextlib.suppress(ValueError):
                self._keys |= jwks.read(_key_set(key))
        self._known: dict[str, Mark | str] = {}

    def mark(self, token: str) -> Mark | str:
        """What the checkpoint vouches for; or, in words, why it does not."""
        found = self._known.get(token)
        if found is None:
            found = self._known[token] = self._read(token)
        return found

    def _read(self, token: str) -> Mark | str:
        try:
            unverified = jws.read(token)
            claims = msgspec.convert(unverified.claims, _Claims)
        except (Unauthenticated, ValueError):
            return "it is no checkpoint"
        key = self._keys.get(unverified.header.kid)
        if unverified.header.typ != TYPE or key is None:
            return f"it is signed with a key nobody vouches for ({unverified.header.kid})"
        if not unverified.signed_by(key):
            return "its signature is forged"
        return Mark(claims.writer, claims.seq, claims.hash)


def _own_key(signer: Signer) -> dict[str, Any]:
    members: list[dict[str, Any]] = msgspec.json.decode(signer.jwks())["keys"]
    return next(member for member in members if member["kid"] == signer.kid)


def _key_set(jwk: bytes) -> bytes:
    return b'{"keys":[' + jwk + b"]}"
