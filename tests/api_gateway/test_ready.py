"""`/readyz` tells the truth: what only waits is noted, and keeps nobody out."""

from pathlib import Path
from typing import Any

import msgspec

from tests.api_gateway.office import Office, opened
from tests.support.postgres import Postgres
from tests.support.rows import caller, entry
from tests.support.wait import eventually

WAITING = "closed calls wait in Redis: the database does not take them"


async def ready(office: Office) -> tuple[int, dict[str, Any]]:
    async with await office.http.send("GET", f"{office.edge.url}/readyz") as reply:
        return reply.status, msgspec.json.decode(await reply.read(2**16))


async def test_a_database_that_is_gone_is_noted_until_it_is_back(tmp_path: Path, postgres: Postgres) -> None:
    async with opened(tmp_path, sql=await postgres.database()) as office:
        status, told = await ready(office)
        assert (status, told["ready"], told["problems"], told["notes"]) == (200, True, [], [])
        postgres.stop()
        try:
            await office.edge.parts.ledger.close(entry(caller()), None)

            async def noted() -> bool:
                status, told = await ready(office)
                return bool(status == 200 and told["notes"] == [WAITING])

            await eventually(noted, "it is noted")
        finally:
            postgres.start()

        async def well() -> bool:
            return not (await ready(office))[1]["notes"]

        await eventually(well, "the note is gone")
