"""Two domains under one control plane, all in processes of their own: what is ordered in the centre happens
in the region, and the region goes on without the centre, over its own restart too.
"""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from shared.errors import UpstreamBroken
from tests.support.centre import Centre, running_centre
from tests.support.crowd import RULE, opened, sections
from tests.support.endless import endless
from tests.support.stack import START_SECONDS, Stack, running_stack
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}


class Domains:
    def __init__(self, centre: Centre, region: Stack) -> None:
        self.centre = centre
        self.region = region

    async def status(self, key: str) -> int:
        return (await self.region.send("POST", "/v1/chat/completions", key=key, body=CHAT)).status

    async def key(self, sub: str) -> str:
        """Made in the centre, and known in the region."""
        secret = await self.centre.key(sub, "acme")
        await eventually(partial(self.answers, secret, 200), "the region knows the key")
        return secret

    async def answers(self, key: str, status: int) -> bool:
        # An answer that is on its way out when its kill arrives is cut.
        with contextlib.suppress(UpstreamBroken):
            return await self.status(key) == status
        return False

    async def told(self) -> dict[str, Any]:
        """What the centre knows of the region."""
        found = (await self.centre.admin("GET", "/status")).json
        region: dict[str, Any] = found["regions"][0] if found["regions"] else {}
        return region


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def domains(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Domains]:
    directory = tmp_path_factory.mktemp("domains")
    region = directory / "region"
    region.mkdir()
    async with (
        endless() as upstream,
        running_centre(directory / "centre", policy={"rules": [RULE]}) as centre,
    ):
        secret = await centre.key("service:eu", "system")
        (region / "region.key").write_text(secret)
        local = sections(upstream)
        # What the region may do is the centre's to say.
        del local["policy"]
        local["api_gateway"] |= {"region": {"key": "${file:region.key}"}}
        async with running_stack(region, control={"plane": centre.url}, **local) as stack:
            await eventually(lambda: any(centre.url in line for line in stack.lines), "whom it obeys")
            yield Domains(centre, stack)


async def test_a_kill_in_the_centre_cuts_streams_in_the_region(domains: Domains) -> None:
    alice, bob = await domains.key("user:alice"), await domains.key("user:bob")
    hers, his = [await opened(domains.region.url, "chat", key) for key in (alice, bob)]
    made = await domains.centre.admin("POST", "/kills", {"selector": {"user": "alice"}, "reason": "a test"})
    await eventually(lambda: hers.ended_ns, "her stream has ended")
    assert b'"code":"killed"' in hers.last
    # The region's edge may hear of it after the gateway that has ended her stream.
    await eventually(partial(domains.answers, alice, 403), "she is refused")
    assert await domains.status(bob) == 200
    assert his.open
    his.close()

    async def measured() -> bool:
        region = await domains.told()
        kills = region["runs"].get("kills", {})
        return not region["behind"] and kills.get("processes") == 4 and kills["ms"] is not None

    await eventually(measured, "the centre knows that all four services of the region obey")
    assert (await domains.centre.admin("DELETE", f"/kills/{made.json['id']}")).status == 200
    await eventually(partial(domains.answers, alice, 200), "it is lifted in the region")


async def test_the_region_goes_on_and_starts_again_while_the_centre_is_gone(domains: Domains) -> None:
    alice, bob = await domains.key("user:alice"), await domains.key("user:bob")
    made = await domains.centre.admin("POST", "/kills", {"selector": {"user": "alice"}, "reason": "a test"})
    await eventually(partial(domains.answers, alice, 403), "the kill is in force")
    stream = await opened(domains.region.url, "chat", bob)
    await domains.centre.kill()
    ticks = stream.ticks
    await eventually(lambda: stream.ticks > ticks, "the stream goes on")
    assert [await domains.status(key) for key in (alice, bob)] == [403, 200]
    stream.close()
    await domains.region.stop()
    await domains.region.start()
    assert [await domains.status(key) for key in (alice, bob)] == [403, 200]
    await domains.centre.start()
    assert (await domains.centre.admin("DELETE", f"/kills/{made.json['id']}")).status == 200
    lifted = partial(domains.answers, alice, 200)
    await eventually(lifted, "the region hears of the centre again", seconds=START_SECONDS)
