"""AWS's Signature Version 4, for requests whose body is at hand.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import datetime
import functools
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

_ALGORITHM = "AWS4-HMAC-SHA256"
_SPACES = re.compile(r" +")
_PORTS = {"http": 80, "https": 443}


class Account(Struct, frozen=True):
    """`token` only where the keys are temporary ones."""

    access_key: str
    secret_key: str
    token: str = ""


class Signer(Struct, frozen=True):
    """Signs for one service in one region."""

    account: Account
    region: str
    service: str

    def sign(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, now: float
    ) -> dict[str, str]:
        """The headers to add: when it was signed and the signature, over `headers`, host and body. `now` in
        seconds since 1970; `url` as it goes out, its path encoded.
        """
        moment = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        added = {"x-amz-date": moment}
        if self.account.token:
            added["x-amz-security-token"] = self.account.token
        signed = {"host": host_of(url), **{name.lower(): value for name, value in headers.items()}, **added}
        names = ";".join(sorted(signed))
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        canonical = _canonical(method, url, signed, names, body)
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
        key = _key(self.account.secret_key, moment[:8], self.region, self.service)
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        credential = f"{self.account.access_key}/{scope}"
        added["authorization"] = (
            f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return added


def host_of(url: str) -> str:
    """As it stands in the request's `host`: without the port that its scheme means anyway."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _canonical(method: str, url: str, signed: Mapping[str, str], names: str, body: bytes) -> bytes:
    parts = urlsplit(url)
    lines = [f"{name}:{_SPACES.sub(' ', signed[name].strip())}\n" for name in sorted(signed)]
    # The path is encoded once more than it goes out: only S3 does without.
    path = quote(parts.path or "/", safe="/-_.~")
    return "\n".join(
        (method, path, _query(parts.query), "".join(lines), names, hashlib.sha256(body).hexdigest())
    ).encode()


def _query(query: str) -> str:
    pairs = [item.partition("=") for item in query.split("&") if item]
    coded = [(_coded(name), _coded(value)) for name, _, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(coded))


def _coded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


@functools.lru_cache(maxsize=64)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    """Good for a whole day, and four rounds of HMAC to make."""
    key = f"AWS4{secret}".encode()
    for step in (day, region, service, "aws4_request"):
        key = hmac.new(key, step.encode(), "sha256").digest()
    return key
