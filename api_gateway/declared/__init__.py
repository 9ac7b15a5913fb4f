"""What can be declared in files instead of being done by hand: the literal registry of kinds, in the order in
which they are applied (and, backwards, pruned).
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from api_gateway.admin.agent_registry import AgentSpec
from api_gateway.declared import agent, fields, key, kill, policy, server, service_account, skill

Differences = Callable[[Any, Any], list[dict[str, Any]]]


class Shape(Struct, frozen=True):
    """How one kind is written in a file. `differences(held, wanted)` is empty where nothing is to be done."""

    spec: type[Struct]
    differences: Differences = fields.differences


SHAPES: dict[str, Shape] = {
    "policy": Shape(policy.PolicySpec, policy.differences),
    "agent": Shape(AgentSpec, agent.differences),
    "server": Shape(server.ServerSpec),
    "skill": Shape(skill.SkillSpec),
    "service_account": Shape(service_account.ServiceAccountSpec),
    "key": Shape(key.KeySpec),
    "kill": Shape(kill.KillSpec),
}
