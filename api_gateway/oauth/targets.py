"""Where a token is to be of use: what a caller may name as `audience`, or as the path of a `resource` (RFC
8693 section 2.1), and the scope that this is.
"""

from urllib.parse import urlsplit

from shared.dialects.model_paths import PREFIXES
from shared.errors import BadRequest
from shared.identity import narrow

_AUDIENCES: dict[str, narrow.Scope] = {
    "llm_gateway": ("model:*",),
    "mcp_gateway": ("tool:*", "prompt:*", "resource:*"),
    "agent_gateway": ("agent:*",),
}
_TOOL_PATHS = ("/mcp", "/servers", "/catalogs")
_PATHS = dict.fromkeys(PREFIXES, "llm_gateway") | dict.fromkeys(_TOOL_PATHS, "mcp_gateway")


def targeted(targets: tuple[str, ...], host: str) -> narrow.Scope:
    """The scope that they name together, () where there is none. `host` is the edge's. Raises BadRequest."""
    found: list[str] = []
    for target in targets:
        found += _target(target, host)
    return tuple(dict.fromkeys(found))


def _target(target: str, host: str) -> narrow.Scope:
    if target in _AUDIENCES:
        return _AUDIENCES[target]
    try:
        parts = urlsplit(target)
    except ValueError as error:
        raise _no_target(target) from error
    if parts.scheme not in ("http", "https") or not host or parts.netloc.lower() != host.lower():
        raise _no_target(target)
    kind, _, name = parts.path.strip("/").partition("/")
    name = name.partition("/")[0]
    if kind == "agents" and name and "*" not in name:
        return (f"agent:{name}", f"agent:{name}/*")
    if kind == "servers" and name and "*" not in name:
        return (f"tool:{name}/*", f"prompt:{name}/*", f"resource:{name}/*")
    gateway = "agent_gateway" if kind == "agents" else _PATHS.get(f"/{kind}")
    if gateway is None:
        raise _no_target(target)
    return _AUDIENCES[gateway]


def _no_target(target: str) -> BadRequest:
    known = ", ".join(_AUDIENCES)
    return BadRequest(
        f"{target[:100]}: name one of {known}, or an address of this gateway", data="invalid_target"
    )
