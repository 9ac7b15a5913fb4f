"""Who runs what: every process says so, and how long a change took is measured."""

import re

from api_gateway.admin.status import Convergence, convergence
from shared.roll_call import REPLICAS, Replica
from tests.api_gateway.office import Office
from tests.support.wait import eventually


def _replica(name: str, epoch: int, *, started: int, taken: int, skew: float = 0.0) -> Replica:
    return Replica(
        id=name,
        service="llm_gateway",
        host="a",
        pid=1,
        started_at=started * 1000,
        skew_ms=skew,
        epochs={"kills": epoch},
        taken={"kills": taken * 1000},
    )


def test_convergence_is_what_the_last_of_those_took_that_were_there() -> None:
    here = [
        _replica("one", 5000, started=1000, taken=5020),
        _replica("ahead", 5000, started=1000, taken=5500, skew=430.0),
        _replica("started since", 5000, started=6000, taken=6010),
        _replica("behind", 4000, started=1000, taken=4010),
    ]
    assert convergence("kills", 5000, here) == Convergence(epoch=5000, replicas=4, behind=1, ms=70.0)
    assert convergence("policy", 5000, here) == Convergence(epoch=5000, replicas=0, behind=0, ms=None)


async def test_an_edge_says_what_it_runs_and_how_fast_it_got_a_change(office: Office) -> None:
    async def taken() -> bool:
        found = (await office.ask("GET", "/status")).body
        return bool(found["replicas"]) and found["snapshots"]["kills"]["ms"] is not None

    async def well() -> bool:
        # Who stands still between two looks at a clock says for a while that it is off.
        found = (await office.ask("GET", "/status")).body
        [edge] = found["replicas"]
        assert (edge["service"], edge["gone"], edge["problems"]) == ("api_gateway", False, [])
        assert found["database"] == ""
        return bool(edge["unconfirmed"]["kills"] < 5 and abs(edge["skew_ms"]) < 1000)

    # Once: of a list that changes all the time nobody says in time that they run it.
    await office.ask("POST", "/kills", {"selector": {"agent": "x"}})
    await eventually(taken, "a kill list that the edge took over")
    await eventually(well, "an edge that is in time")


async def test_the_command_shows_who_is_gone_and_who_is_behind(office: Office) -> None:
    redis = office.edge.parts.redis
    published = await office.edge.parts.snapshots.published()
    lost = b'{"id":"lost","service":"llm_gateway","host":"far","pid":7,"started_at":1,"said_at":%d}'
    now = office.control.now_us()
    await redis.execute("HSET", REPLICAS, "lost", lost % (now - 60_000_000))
    await redis.execute("HSET", REPLICAS, "ancient", (lost % 5).replace(b'"lost"', b'"ancient"'))
    late = lost[:-1] + b',"epochs":{"kills":%d}}'
    late = (late % (now + 60_000_000, published["kills"] - 1)).replace(b'"lost"', b'"late"')
    await redis.execute("HSET", REPLICAS, "late", late)
    said = await office.say("status")
    assert said.code == 1
    assert re.search(r"gone, 6\d", said.out)
    found = (await office.say("status", "--json")).json
    assert found["snapshots"]["kills"]["behind"] == 1
    assert not found["ok"]
    assert "ancient" not in {one["id"] for one in found["replicas"]}
