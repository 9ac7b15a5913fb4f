"""While the control plane is gone a region goes on with what was good, over the loss of its own Redis and
over its own restart; and refuses everything after a time, where its operator wants that.
"""

from pathlib import Path

from tests.api_gateway.regions.domains import centre_at, obeys, puller_of, region_at
from tests.support.serve import someone
from tests.support.stack import free_ports
from tests.support.wait import eventually


async def test_what_was_good_outlives_the_control_plane_and_the_regions_redis(tmp_path: Path) -> None:
    async with centre_at(tmp_path) as centre:
        key, url = await centre.key("service:eu", "system"), centre.edge.url
        region_ends = region_at(tmp_path, url, key)
        region = await region_ends.__aenter__()
        await obeys(centre, region)
        runs = region.parts.snapshots.epochs()
    try:
        await eventually(lambda: bool(puller_of(region).trouble), "the control plane is gone")
        await region.parts.redis.execute("FLUSHALL")

        async def laid() -> bool:
            return (await region.parts.snapshots.published()).items() >= runs.items()

        await eventually(laid, "it lies in Redis again")
    finally:
        await region_ends.__aexit__(None, None, None)
    # Started again, with a Redis that has lost everything, and nobody to ask for keys or snapshots.
    (tmp_path / "eu" / "api_gateway" / "state" / "valkey").rename(tmp_path / "lost")
    async with region_at(tmp_path, url, key) as again:
        await eventually(lambda: again.parts.snapshots.epochs() == runs, "it obeys what was good")
        await eventually(lambda: not again.parts.problems(), "it is ready")


async def test_a_region_may_refuse_everything_when_nobody_could_stop_it(tmp_path: Path) -> None:
    async with centre_at(tmp_path) as centre:
        key = await centre.key("service:eu", "system")
        ends = region_at(tmp_path, centre.edge.url, key, outage_seconds=0.5)
        region = await ends.__aenter__()
        await obeys(centre, region)
    try:

        async def withdrawn() -> bool:
            return "kills" not in await region.parts.snapshots.published()

        await eventually(withdrawn, "the kill list is withdrawn")
        before = region.parts.snapshots.fresh("kills")
        await eventually(lambda: region.parts.snapshots.fresh("kills") > before + 1, "nobody confirms it")
        assert "policy" in await region.parts.snapshots.published()
    finally:
        await ends.__aexit__(None, None, None)


async def test_before_the_first_word_of_the_control_plane_nothing_is_granted(tmp_path: Path) -> None:
    anybody = {"rules": [{"id": "all", "sub": "*", "dom": "*", "obj": "*", "act": "*"}]}
    [port] = free_ports(1)
    async with region_at(tmp_path, f"http://127.0.0.1:{port}", "gsk_x", policy=anybody) as region:
        assert not region.parts.policy.current.decide_chain(someone(), "model:fast", "invoke").allowed
        assert len(region.parts.problems()) == 2
