"""What a bridge's task has come to is decided once."""

from msgspec.structs import replace

from agent_gateway.bridges.records import CANCELED, COMPLETED, WORKING, Record, Records
from shared.redis_client import Redis
from tests.support.serve import someone


async def test_an_answer_that_speaks_of_states_is_an_answer(redis: Redis) -> None:
    records, caller = Records(redis, seconds=60), someone()
    begun = Record(id="t", context='c","parts":')
    await records.begin("poet", caller, begun)
    answered = replace(begun, state=COMPLETED, parts=({"data": {"state": WORKING}},))
    assert await records.end("poet", caller, answered) == answered
    assert await records.end("poet", caller, replace(begun, state=CANCELED)) == answered
