"""The ways to choose among replicas that are ready. A new one is a file here and a line in the registry."""

import random
from collections.abc import Callable

from api_gateway.balance.settings import Balance, StrategyName
from api_gateway.balance.strategies.consistent_hash import ConsistentHash
from api_gateway.balance.strategies.least_busy import LeastBusy
from api_gateway.balance.strategies.power_of_two import PowerOfTwo
from api_gateway.balance.strategies.strategy import Strategy
from api_gateway.balance.strategies.turns import Turns

_REGISTRY: dict[StrategyName, Callable[[Balance, random.Random], Strategy]] = {
    "round_robin": lambda _, __: Turns(weighted=False),
    "weighted": lambda _, __: Turns(weighted=True),
    "least_busy": lambda _, dice: LeastBusy(dice),
    "power_of_two": lambda _, dice: PowerOfTwo(dice),
    "consistent_hash": lambda rule, dice: ConsistentHash(rule.overload, PowerOfTwo(dice)),
}


def strategy(rule: Balance, dice: random.Random) -> Strategy:
    return _REGISTRY[rule.strategy](rule, dice)
