"""A service's own signing keys: made once, kept as files, rotated without a gap, published as a JWK Set.

Processes that share a directory share its keys. A new key is published at once and signs after
`OVERLAP_SECONDS`, when every verifier has it; an old one is published until all that it signed has expired.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec import Struct

from shared.clock import Clock
from shared.identity import jws
from shared.identity.jwks import jwk_of
from shared.replace_file import replace_file

OVERLAP_SECONDS = 600
# The longest-lived token a service may issue (a delegation), plus the overlap.
RETIRE_SECONDS = 86_400 + OVERLAP_SECONDS
_LOOK_SECONDS = 30.0
_DETACHED = "JOSE"
_OUTWARD = "JWT"


class SigningKey(Struct, frozen=True):
    """One key pair. `kid` is its RFC 7638 thumbprint, so that no two issuers can have one kid by accident."""

    kid: str
    created: int
    private: EllipticCurvePrivateKey
    public: EllipticCurvePublicKey

    @classmethod
    def of(cls, private: EllipticCurvePrivateKey, created: int) -> "SigningKey":
        public = private.public_key()
        canonical = msgspec.json.encode(jwk_of(public))
        return cls(jws.encoded(hashlib.sha256(canonical).digest()).decode(), created, private, public)

    def published(self) -> dict[str, str]:
        return {**jwk_of(self.public), "kid": self.kid, "alg": jws.ALG, "use": "sig"}


class Signer:
    """Signs for one issuer. Without a `directory` its keys stay in memory: for what need not last."""

    def __init__(self, issuer: str, directory: Path | None = None, *, clock: Clock | None = None) -> None:
        self.issuer = issuer
        self._directory = directory
        self._clock = clock or Clock()
        self._keys: tuple[SigningKey, ...] = ()
        self._heads: dict[str, bytes] = {}
        self._files: set[Path] = set()
        self._look()
        if not self._keys:
            self.rotate()

    @classmethod
    def load_or_create(cls, directory: Path, name: str, *, clock: Clock | None = None) -> Self:
        """The signer of issuer `name`. Raises OSError where a file of `directory` is no private key."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(directory):
            return cls(name, directory, clock=clock)

    @property
    def kid(self) -> str:
        """The key that signs now."""
        return self._active.kid

    def sign(self, claims: jws.Claims, *, typ: str) -> str:
        """`claims` as a compact JWS of this issuer."""
        if self._clock.monotonic() >= self._look_at:
            self._look_again()
        claims = {"iss": self.issuer, **claims}
        if claims["iss"] != self.issuer:
            raise ValueError(f"{self.issuer} cannot sign for {claims['iss']}")
        return self._written(claims, typ)

    def outward(self, claims: jws.Claims) -> str:
        """`claims` for a party outside that knows us by another name (RFC 7523): its `iss` is what they say.

        No verifier of ours takes a token of this type, whatever it claims.
        """
        if self._clock.monotonic() >= self._look_at:
            self._look_again()
        return self._written(claims, _OUTWARD)

    def detached(self, payload: bytes) -> tuple[str, str]:
        """The protected header and the signature of a JWS over `payload`, which travels apart from them."""
        if self._clock.monotonic() >= self._look_at:
            self._look_again()
        # No token of ours has this type: a card's signature can never be taken for one.
        return jws.detached(jws.head(_DETACHED, self._active.kid), payload, self._active.private)

    def jwks(self) -> bytes:
        """The public halves of all keys, as `/.well-known/jwks.json` shows them."""
        self._look_again()
        return msgspec.json.encode({"keys": [key.published() for key in reversed(self._keys)]})

    def public(self, kid: str) -> EllipticCurvePublicKey | None:
        return next((key.public for key in self._keys if key.kid == kid), None)

    def rotate(self) -> str:
        """Adds a key, which signs after the overlap, and removes those that signed nothing still valid."""
        now = int(self._clock.now())
        # Never as old as another key: which of two signs must not be left to chance.
        created = max(now, self._keys[-1].created + 1) if self._keys else now
        key = SigningKey.of(generate_private_key(SECP256R1()), created)
        keys = (*self._keys, key)
        retired = {old.kid for old, new in pairwise(keys) if new.created + RETIRE_SECONDS <= now}
        if self._directory is not None:
            _store(self._directory / _name(self.issuer, key), key)
            for old in keys:
                if old.kid in retired:
                    (self._directory / _name(self.issuer, old)).unlink(missing_ok=True)
        self._keys = tuple(old for old in keys if old.kid not in retired)
        self._look()
        return key.kid

    def _written(self, claims: jws.Claims, typ: str) -> str:
        header = self._heads.get(typ) or self._heads.setdefault(typ, jws.head(typ, self._active.kid))
        return jws.write(header, claims, self._active.private)

    def _look(self) -> None:
        """Takes up keys that another process has added, and moves to the newest key whose overlap is over."""
        self._look_at = self._clock.monotonic() + _LOOK_SECONDS
        files = set(self._directory.glob(f"{self.issuer}.*.pem")) if self._directory is not None else set()
        if files and files != self._files:
            self._keys, self._files = _load(files), files
        if not self._keys:
            return
        ripe = int(self._clock.now()) - OVERLAP_SECONDS
        self._active = next((key for key in reversed(self._keys) if key.created <= ripe), self._keys[0])
        self._heads = {}

    def _look_again(self) -> None:
        # What happens to the directory while we run must not stop a service that holds good keys.
        with contextlib.suppress(OSError):
            self._look()


def _age(key: SigningKey) -> tuple[int, str]:
    return key.created, key.kid


def _name(issuer: str, key: SigningKey) -> str:
    """`<issuer>.<created>.<start of the kid>.pem`, with the time because copying a file changes its own."""
    return f"{issuer}.{key.created}.{key.kid[:8]}.pem"


def _load(files: set[Path]) -> tuple[SigningKey, ...]:
    return tuple(sorted((SigningKey.of(_read(path), _created(path)) for path in files), key=_age))


def _created(path: Path) -> int:
    created = path.name.split(".")[-3]
    if not created.isdigit():
        raise OSError(f"{path} is not named <issuer>.<seconds since 1970>.<any>.pem")
    return int(created)


def _read(path: Path) -> EllipticCurvePrivateKey:
    if path.stat().st_mode & 0o007:
        raise PermissionError(
            f"{path} can be read by everybody on this machine: chmod 600 it, and rotate the key"
        )
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise OSError(f"{path} is not an unencrypted PEM private key: {error}") from error
    if not isinstance(private, EllipticCurvePrivateKey) or not isinstance(private.curve, SECP256R1):
        raise OSError(f"{path} is not a P-256 key, which {jws.ALG} needs")
    return private


def _store(path: Path, key: SigningKey) -> None:
    replace_file(path, key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two processes that start at once must not make two first keys, each unknown to the other."""
    with open(os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
