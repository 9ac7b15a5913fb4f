"""Seals what has to lie in a store that others may read: AES-256-GCM under several keys, of which the first
one seals and every one opens.

What is sealed is bound to its place: moved to another one, it does not open.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

KEY_BYTES = 32
_FORM = b"\x01"
_ID_BYTES, _NONCE_BYTES = 8, 12
_HEAD_BYTES = len(_FORM) + _ID_BYTES


class SealBroken(ValueError):
    """It was changed, moved, or sealed with a key that is not here."""


class Opened(Struct, frozen=True):
    """`stale`: sealed with an older key than the first; whoever stores it should seal it anew."""

    plain: bytes
    stale: bool


class Sealer:
    """`keys`: 32 bytes each, in base64. Put a new one in front of the others; take an old one away when
    nothing that it sealed is needed any more. Raises ValueError for what is no such key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        raw = [key_of(text) for text in keys]
        if not raw:
            raise ValueError("at least one key is needed")
        self._ciphers = {_id(key): AESGCM(key) for key in reversed(raw)}
        self._first = _id(raw[0])

    def seal(self, plain: bytes, *place: str) -> bytes:
        """`plain`, unreadable and bound to `place`: any strings that name where it belongs."""
        head, nonce = _FORM + self._first, os.urandom(_NONCE_BYTES)
        return head + nonce + self._ciphers[self._first].encrypt(nonce, plain, _bound(head, place))

    def open(self, sealed: bytes, *place: str) -> Opened:
        """What was sealed for `place`. Raises SealBroken."""
        head, rest = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        key = head[len(_FORM) :]
        cipher = self._ciphers.get(key)
        if head[: len(_FORM)] != _FORM or cipher is None:
            raise SealBroken("sealed with a key that is not configured")
        try:
            plain = cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound(head, place))
        except (InvalidTag, ValueError) as error:
            raise SealBroken("it was changed, or it belongs somewhere else") from error
        return Opened(plain, stale=key != self._first)


def key_of(text: str) -> bytes:
    """The bytes of a key. Raises ValueError, without the text."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key is {KEY_BYTES} random bytes in base64 (openssl rand -base64 {KEY_BYTES})")
    return key


def _id(key: bytes) -> bytes:
    # Tells keys apart and nothing about them.
    return hashlib.sha256(b"gatestack sealing key" + key).digest()[:_ID_BYTES]


def _bound(head: bytes, place: tuple[str, ...]) -> bytes:
    # Packed, not joined: ("a|b", "c") and ("a", "b|c") are two places.
    return head + msgspec.msgpack.encode(place)
