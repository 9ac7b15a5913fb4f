"""How the replicas, queues and caches of all routes are, as numbers for `/metrics`."""

from collections.abc import Callable, Sequence

from api_gateway.balance.gate import Gate
from api_gateway.balance.pool import Pool
from api_gateway.response_cache import ResponseCache

Gauge = Callable[[], float]


def gauges(pools: Sequence[Pool], gates: Sequence[Gate], caches: Sequence[ResponseCache]) -> dict[str, Gauge]:
    """No label names a route: the page needs no credential."""

    def replicas(state: str) -> Gauge:
        return lambda: sum(getattr(pool.seen(), state) for pool in pools)

    found: dict[str, Gauge] = {
        f"gatestack_replicas_{state}": replicas(state) for state in ("ready", "ejected", "down", "draining")
    }
    found["gatestack_edge_requests_waiting"] = lambda: sum(gate.waiting for gate in gates)
    found["gatestack_edge_requests_allowed"] = lambda: sum(gate.limit for gate in gates)
    found["gatestack_edge_requests_shed"] = lambda: sum(gate.shed for gate in gates)
    found["gatestack_edge_retries"] = lambda: sum(pool.retries.spent for pool in pools)
    found["gatestack_edge_cache_bytes"] = lambda: sum(cache.bytes for cache in caches)
    return found
