"""Stage: `/agents/-/skill/<id>` becomes the path of an agent that has the skill and that the caller may use.

The same caller gets the same agent for as long as it is among those that fit.
"""

import hashlib
import re
from urllib.parse import unquote

from agent_gateway.registry.directory import Directory
from shared.asgi import Exchange
from shared.errors import NotFound
from shared.identity.principal import Caller

_PATH = re.compile(r"/agents/-/skill/(?P<skill>[^/]{1,200})(?P<rest>/.*)?")


async def find(exchange: Exchange, caller: Caller, directory: Directory) -> None:
    """Rewrites the path, which everybody after this reads. Raises NotFound."""
    asked = _PATH.fullmatch(exchange.path)
    if asked is None:
        return
    skill = unquote(asked["skill"])
    found = await directory.able(caller, skill, exchange.query)
    if not found:
        raise NotFound("no agent that you may use has this skill")
    chosen = max(found, key=lambda name: _affinity(caller, skill, name))
    exchange.path = f"/agents/{chosen}{asked['rest'] or ''}"


def _affinity(caller: Caller, skill: str, name: str) -> bytes:
    """Rendezvous hashing: an agent that comes or goes moves only the callers that it is chosen by."""
    principal = caller.principal
    text = "\x1f".join((principal.tenant, principal.sub, skill, name))
    return hashlib.sha256(text.encode()).digest()
