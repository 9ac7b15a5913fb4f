"""What models cost: prices an operator writes, a table of those that are public, and the sum of a call's
bill.
"""

from llm_gateway.prices.book import ModelFacts, PriceBook, facts
from llm_gateway.prices.price import MOST, UNKNOWN, Micros, Price, Tier, ceiling, cost, problems

__all__ = [
    "MOST",
    "UNKNOWN",
    "Micros",
    "ModelFacts",
    "Price",
    "PriceBook",
    "Tier",
    "ceiling",
    "cost",
    "facts",
    "problems",
]
