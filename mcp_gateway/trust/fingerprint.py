"""What a tool is, in one spelling: everything about it that a model reads or a caller relies on, and whose it
is.
"""

import hashlib
from typing import Any

import msgspec

from mcp_gateway.config import Stdio, Transport
from mcp_gateway.transports import SKILLS, OpenApi, Skills
from shared.identity.jcs import canonical

_MEMBERS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


class _Info(msgspec.Struct):
    name: str = ""


def identity(transport: Transport, info: bytes) -> str:
    """Who a server is: where it is found, and what it calls itself. Its version may change with every
    release.
    """
    if isinstance(transport, Stdio):
        where = " ".join((transport.command, *transport.args))
    elif isinstance(transport, Skills):
        where = SKILLS
    else:
        where = transport.url or transport.document if isinstance(transport, OpenApi) else transport.url
    try:
        name = msgspec.json.decode(info, type=_Info).name
    except msgspec.DecodeError:
        name = ""
    return f"{name} at {where}"


def fingerprint(definition: bytes, server: str) -> tuple[str, bytes]:
    """The SHA-256 of a tool's canonical definition, and that definition. Raises ValueError for one that has
    none.
    """
    members: dict[str, Any] = msgspec.json.decode(definition)
    known = {name: members[name] for name in _MEMBERS if members.get(name) is not None}
    written = canonical(known | {"server": server})
    return hashlib.sha256(written).hexdigest(), written
