"""Whom a process believes about keys, kills and policy: its own edge or, in a region, the edge of the control
plane, whose key set is kept on this disk for a start while that edge is gone.
"""

import contextlib
from typing import Any

from shared.clock import Clock
from shared.config import Loaded
from shared.http_client import HttpClient
from shared.identity.verify import Verifier
from shared.snapshots import PUBLISHER
from shared.tls_trust import context_of, resolved

# The folder below `state.dir`.
KEPT = "control-plane"


def plane_verifier(
    loaded: Loaded[Any], verifier: Verifier, clock: Clock, stack: contextlib.AsyncExitStack
) -> Verifier:
    """Who verifies snapshots; `verifier` is what verifies everything else. `stack` closes what is opened."""
    control = loaded.shared.control
    if not control.plane:
        return verifier
    http = plane_client(loaded)
    stack.push_async_callback(http.close)
    # This domain's own keys are not among them: what its edge signs is no word of the control plane.
    where = control.key_set if "://" in control.key_set else str(loaded.path(control.key_set))
    keep = loaded.path(loaded.shared.state.dir) / KEPT
    found = Verifier({PUBLISHER: where}, http=http, clock=clock, keep=keep)
    stack.push_async_callback(found.close)
    return found


def plane_client(loaded: Loaded[Any]) -> HttpClient:
    """Calls to the control plane."""
    tls = resolved(loaded.shared.control.tls, loaded.path)
    return HttpClient(tls=context_of(tls) if tls is not None else None)
