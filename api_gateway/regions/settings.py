"""What the edge of a region needs beside the section `control`, which all services of a region have."""

from typing import Annotated

from msgspec import Meta, Struct, field

from shared.config import ControlSection, Secret


class Region(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key` is what the control plane knows this region by. After `outage_seconds` without a word of it, the
    region's kill list is withdrawn and everything is refused; 0: the last one stays in force.
    """

    key: Secret = field(default_factory=lambda: Secret(""))
    outage_seconds: Annotated[float, Meta(ge=0)] = 0.0


def problems(region: Region, control: ControlSection) -> list[str]:
    """What does not fit together, as `path: problem`."""
    if control.plane and not region.key:
        return ["region.key: missing: the control plane has to know whose questions it answers"]
    if not control.plane and (region.key or region.outage_seconds):
        return ["region: needs control.plane: without it, this edge is its own control plane"]
    return []
