"""Puts a region's side together."""

from api_gateway.config import Section
from api_gateway.regions.kept import Kept
from api_gateway.regions.puller import Puller
from api_gateway.regions.report import Report
from shared.config import Loaded
from shared.parts import Parts
from shared.plane import KEPT, plane_client

_UNHEARD = "the control plane does not answer: what it said last stays in force"
# A question may wait, and a restart of the control plane is no trouble yet.
_UNHEARD_SECONDS = 30.0


def open_puller(loaded: Loaded[Section], parts: Parts) -> Puller | None:
    """None where this set-up is its own control plane."""
    control, region = loaded.shared.control, loaded.section.region
    if not control.plane:
        return None
    puller = Puller(
        control.plane,
        region.key.reveal(),
        http=plane_client(loaded),
        snapshots=parts.snapshots,
        report=Report(parts.roll, parts.clock),
        kept=Kept(parts.state_dir / KEPT),
        clock=parts.clock,
        outage_seconds=region.outage_seconds,
    )
    parts.notes[_UNHEARD] = lambda: puller.silent_seconds > _UNHEARD_SECONDS
    parts.telemetry.gauges["gatestack_control_plane_silent_seconds"] = lambda: round(puller.silent_seconds, 3)
    return puller
