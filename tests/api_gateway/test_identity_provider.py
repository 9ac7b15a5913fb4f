"""The edge and an identity provider that is a process of its own: its clock is wrong, strangers flood the
edge in its name, it hangs, changes its keys, and dies.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api_gateway.office import Office, opened
from tests.support.identity_provider import AUDIENCE
from tests.support.identity_provider_process import Process, process
from tests.support.wait import eventually

READS = {"id": "reads", "sub": "role:auditor", "dom": "acme", "obj": "admin:keys", "act": "read"}
AUDITOR = {"groups": ["auditors"]}


@pytest.fixture
async def idp() -> AsyncIterator[Process]:
    async with process() as idp:
        yield idp


@pytest.fixture
async def office(tmp_path: Path, idp: Process) -> AsyncIterator[Office]:
    mapping = {
        "sub": "user:{email}",
        "tenant": {"claim": "org"},
        "roles": {"claim": "groups", "give": {"auditors": "auditor"}},
    }
    issuer = {"issuer": idp.url, "audiences": [AUDIENCE], "principals": [mapping]}
    identity = {"keys_dir": str(tmp_path / "keys"), "trust": {}, "issuers": [issuer]}
    async with opened(tmp_path, {"rules": [READS]}, identity=identity) as office:
        yield office


async def status(office: Office, token: str) -> int:
    return (await office.ask("GET", "/keys", key=token)).status


async def test_from_the_first_token_to_the_providers_death(office: Office, idp: Process) -> None:
    assert await status(office, await idp.token(**AUDITOR)) == 200
    assert await status(office, await idp.token(groups=["others"])) == 403
    for skew, expected in ((20, 200), (-20, 200), (3600, 401), (-3600, 401)):
        await idp.told(skew=skew)
        assert await status(office, await idp.token(**AUDITOR)) == expected
    await idp.told(skew=0)
    assert await idp.told() == 1

    forged = [await idp.token(header={"kid": f"unknown-{n}"}) for n in range(100)]
    ready = [await idp.token(n=n, **AUDITOR) for n in range(4)]
    found = await asyncio.gather(*(status(office, token) for token in (*forged, ready[0])))
    # Whoever floods is told to wait, a good token from the same address is not.
    assert set(found[:-1]) == {401, 429}
    assert found[-1] == 200
    assert await idp.told() <= 2

    idp.signal(signal.SIGSTOP)
    assert await status(office, ready[1]) == 200
    idp.signal(signal.SIGCONT)

    await idp.told(rotate=["one", "two"])

    async def rotated() -> bool:
        return await status(office, await idp.token(kid="two", **AUDITOR)) == 200

    # The edge asks for keys that it does not know once in ten seconds.
    await eventually(rotated, "the provider's new key", seconds=30)
    assert await status(office, ready[2]) in (401, 429)

    last = await idp.token(kid="two", n=9, **AUDITOR)
    idp.signal(signal.SIGKILL)
    assert await status(office, last) == 200
