"""A routed model's section for the real gateway, and prompts to send it."""

from typing import Any

from tests.llm_gateway.gateway import PRICE
from tests.support.providers import REAL_MODEL

Json = dict[str, Any]


def to(provider: str, group: str = "main", **more: Any) -> Json:
    return {"provider": provider, "model": REAL_MODEL, "group": group, **more}


def fast(*targets: Json, **routing: Any) -> Json:
    """The section `models`, of which `fast` is routed like this."""
    return {"fast": {"targets": list(targets), "price": PRICE, "routing": routing}}


def saying(text: str) -> list[Json]:
    return [{"role": "user", "content": text}]
