"""How far one chain may spread over agents: how many calls each of its agents may make, and how often it may
say the same to the same agent. Counted beside the chain's limits, in the same script.
"""

import hashlib

import msgspec
from msgspec import Raw

from agent_gateway.call import Call
from shared.config import ChainSection
from shared.identity.principal import Caller
from shared.limits.keys import encoded
from shared.limits.plan import UNITS, Plan
from shared.limits.rule import LimitRule

# A total that goes when the chain is over, of calls of agents.
_WINDOW, _UNIT = "C", UNITS.index("agent_calls") + 1
_MESSAGE = msgspec.json.Decoder(dict[str, Raw])


def with_spread(planned: Plan, caller: Caller, agent: str, call: Call, chain: ChainSection) -> Plan:
    """`planned` and what one agent of a chain may do; nothing more for whoever begins it."""
    if caller.depth == 0:
        return planned
    path = _digest(" ".join(caller.actors).encode())
    said = _digest(agent.encode(), _words(call))
    counted = (
        (f"children:{path}", "calls of agents that one agent may make (max_children)", chain.max_children),
        (f"same:{said}", "times the same message goes to one agent (max_repeats)", chain.max_repeats),
    )
    rules = tuple(_rule(name, most) for _, name, most in counted)
    arguments: list[str | int] = []
    for stem, _, most in counted:
        arguments += (f"spread:{encoded(caller.chain)}:{stem}", _WINDOW, _UNIT, most, 1, "")
    return Plan(
        rules=(*planned.rules, *rules), arguments=(*planned.arguments, *arguments), amounts=planned.amounts
    )


def _words(call: Call) -> bytes:
    """What a message says, however it is written: its parts, without the ids that are new each time."""
    parts = _MESSAGE.decode(call.params["message"])["parts"]
    return msgspec.json.encode(msgspec.json.decode(parts), order="sorted")


def _digest(*texts: bytes) -> str:
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:32]


def _rule(name: str, most: int) -> LimitRule:
    """What a refusal is worded from."""
    return LimitRule(name=name, per="chain", unit="agent_calls", amount=most, window="total")
