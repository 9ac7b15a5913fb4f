"""How the replicas and queues of all routes are, as numbers for `/metrics`."""

from collections.abc import Callable, Sequence

from api_gateway.balance.gate import Gate
from api_gateway.balance.pool import Pool

Gauge = Callable[[], float]


def gauges(pools: Sequence[Pool], gates: Sequence[Gate]) -> dict[str, Gauge]:
    """No label names a route: the page needs no credential."""

    def replicas(state: str) -> Gauge:
        return lambda: sum(getattr(pool.seen(), state) for pool in pools)

    found: dict[str, Gauge] = {
        f"gatestack_replicas_{state}": replicas(state) for state in ("ready", "ejected", "down", "draining")
    }
    found["gatestack_edge_requests_waiting"] = lambda: sum(gate.waiting for gate in gates)
    found["gatestack_edge_requests_shed"] = lambda: sum(gate.shed for gate in gates)
    found["gatestack_edge_retries"] = lambda: sum(pool.retries.spent for pool in pools)
    return found
