"""Orders in which a model's targets are tried: one file each, chosen by `routing.strategy`."""

from llm_gateway.router.ranking import Strategy
from llm_gateway.router.section import StrategyName
from llm_gateway.router.strategies.highest_availability import highest_availability
from llm_gateway.router.strategies.least_busy import least_busy
from llm_gateway.router.strategies.lowest_cost import lowest_cost
from llm_gateway.router.strategies.lowest_latency import lowest_latency
from llm_gateway.router.strategies.order import order
from llm_gateway.router.strategies.weighted import weighted

STRATEGIES: dict[StrategyName, Strategy] = {
    "order": order,
    "weighted": weighted,
    "lowest_cost": lowest_cost,
    "lowest_latency": lowest_latency,
    "least_busy": least_busy,
    "highest_availability": highest_availability,
}
