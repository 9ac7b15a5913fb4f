"""Whom a call to somebody else trusts over TLS, and by what certificate we are known there."""

import ssl
from collections.abc import Callable

import msgspec
from msgspec import Struct


class Trust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files: `ca` is the authority that alone is believed (without it: the system's), `certificate` and
    `key` are what we show.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""


def resolved(trust: Trust | None, path: Callable[[str], object]) -> Trust | None:
    """The same with whole paths."""
    if trust is None:
        return None
    names = msgspec.structs.asdict(trust).items()
    return Trust(**{field: str(path(name)) if name else "" for field, name in names})


def context_of(trust: Trust) -> ssl.SSLContext:
    """Raises OSError and ValueError where the files do not do."""
    if bool(trust.certificate) != bool(trust.key):
        raise ValueError("certificate and key belong together: set both or neither")
    try:
        context = ssl.create_default_context(cafile=trust.ca or None)
        if trust.certificate:
            context.load_cert_chain(trust.certificate, trust.key, _no_password)
    except ssl.SSLError as error:
        files = ", ".join(name for name in msgspec.structs.astuple(trust) if name)
        raise ValueError(f"{files} do not do: {error.reason or error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def problems(path: str, trust: Trust | None) -> list[str]:
    """What is wrong with the files, as `path: problem`; their paths must be whole."""
    if trust is None:
        return []
    try:
        context_of(trust)
    except (OSError, ValueError) as error:
        return [f"{path}: {error}"]
    return []


def unverified() -> ssl.SSLContext:
    """Believes everybody: only to ask a process of our own, on this machine, whether it is well."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted: it must stand in its file without a password")
