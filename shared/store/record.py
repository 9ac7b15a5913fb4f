"""What the store keeps beside the ledger's rows, and a row as verification wants it."""

from msgspec import Struct


class PolicyVersion(Struct, frozen=True, kw_only=True):
    """One published set of rules. `rules` is its JSON.

    `version` is its epoch and only ever rises. `number` counts versions without a gap: of two who change the
    same version, the second finds that its number is taken.
    """

    version: int
    rules: bytes
    number: int = 1
    author: str = ""
    reason: str = ""
    at: int = 0


class SigningKey(Struct, frozen=True, kw_only=True):
    """A public key that signed something we keep. `jwk` is its JSON, kept so that old checkpoints stay
    provable."""

    kid: str
    issuer: str
    jwk: bytes
    seen_at: int = 0


class KeptRow(Struct, frozen=True, gc=False):
    """A row as it lies in SQL: `columns` are the copies that queries read, `body` is what was sealed."""

    seq: int
    body: bytes
    hash: bytes
    columns: tuple[object, ...]


class KeptCheckpoint(Struct, frozen=True):
    """A checkpoint's signature, kept apart from its row: cutting off the row does not remove it too."""

    id: str
    writer: str
    token: str
