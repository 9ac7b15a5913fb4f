"""An edge is in a region or it is none: half of it is a mistake that is told before a socket opens."""

from api_gateway.regions.settings import Region, problems
from shared.config import ControlSection, Secret

PLANE = ControlSection(plane="https://control.example")


def test_a_region_needs_a_key_and_a_key_needs_a_region() -> None:
    assert problems(Region(), ControlSection()) == []
    assert problems(Region(key=Secret("gsk_x")), PLANE) == []
    assert problems(Region(), PLANE)[0].startswith("region.key: missing")
    assert problems(Region(key=Secret("gsk_x")), ControlSection())[0].startswith(
        "region: needs control.plane"
    )
    assert problems(Region(outage_seconds=5), ControlSection())[0].startswith("region: needs control.plane")
