"""Who is among the first to use a new deployment. No state: the same principal, or the same chain, always
falls on the same side, in every process.
"""

import zlib

from llm_gateway.router.section import CanarySection
from shared.identity.principal import Caller

_SIDES = 10_000


def chosen(canary: CanarySection, model: str, caller: Caller) -> bool:
    """Whether `caller` is among the percent. Raising the percent only adds to those who were chosen."""
    principal = caller.principal
    who = caller.chain if canary.sticky == "chain" else f"{principal.tenant}/{principal.sub}"
    side = zlib.crc32(f"{model}:{canary.to}:{who}".encode()) % _SIDES
    return side < canary.percent * _SIDES / 100
