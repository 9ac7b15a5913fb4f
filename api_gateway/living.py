"""What runs at the edge beside serving: the control plane (or what obeys another), the ledger's drain, health
checks, the board of what is out of service.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette

from api_gateway.balance.watch import Watch
from api_gateway.config import Section
from api_gateway.control import Control
from api_gateway.operator_key import OPERATOR_KEY_FILE, operator_key
from api_gateway.regions.puller import Puller
from shared.background import cancelled, owned
from shared.config import Loaded
from shared.errors import Unavailable
from shared.ledger.drain import Drain
from shared.parts import Parts

_LOG = logging.getLogger("gatestack")  # noqa: TID251  no request is near
_RETRY_SECONDS = 2.0


@contextlib.asynccontextmanager
async def living(loaded: Loaded[Section], parts: Parts, app: Starlette) -> AsyncIterator[None]:
    """The control plane and the ledger's drain, beside serving."""
    control: Control = app.state.control
    puller: Puller | None = app.state.puller
    watch: Watch = app.state.watch
    await watch.start()
    drain = Drain(parts.redis, control.store, parts.clock)
    parts.telemetry.gauges["gatestack_ledger_rows_waiting"] = lambda: drain.lag
    parts.notes["closed calls wait in Redis: the database does not take them"] = lambda: bool(drain.trouble)
    tasks = [
        owned(puller.run() if puller else _govern(loaded, parts, control), "control", parts.failed),
        owned(drain.run(), "drain", parts.failed),
        owned(watch.run(), "balance", parts.failed),
        owned(app.state.board.follow(), "maintenance", parts.failed),
    ]
    try:
        yield
    finally:
        for task in tasks:
            await cancelled(task)
        await app.state.upstreams.close()
        await control.store.close()


async def _govern(loaded: Loaded[Section], parts: Parts, control: Control) -> None:
    section = loaded.section
    while True:
        try:
            await control.start(loaded.shared.policy)
            await operator_key(
                control, parts.state_dir / OPERATOR_KEY_FILE, section.operator, section.operator_tenant
            )
            await control.run()
        except Unavailable as error:
            _LOG.warning("the control plane waits: %s (%s)", error.detail, error.cause or "no cause is known")
            await asyncio.sleep(_RETRY_SECONDS)
