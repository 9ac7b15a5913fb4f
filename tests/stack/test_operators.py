"""The admin API of a running stack: confined to its caller's tenant, closed to ordinary keys, never locked
out by its own kill.
"""

from typing import Any

import pytest

from shared.config.load import SERVICES
from tests.stack.conftest import World
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]

CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}


async def test_a_key_of_another_tenant_sees_nothing_of_this_one(world: World) -> None:
    _, chain = await world.steps(await world.key(), "planner", {"model": "fast"})
    await world.stack.entries(chain, 4)
    key = await world.key("user:eve", "globex")
    assert (await world.stack.send("GET", f"/admin/api/chains/{chain}", key=key)).status == 404
    keys = (await world.stack.send("GET", "/admin/api/keys", key=key)).json["keys"]
    assert {record["tenant"] for record in keys} == {"globex"}
    for path in ("/admin/api/keys?tenant=acme", "/admin/api/spend?tenant=acme"):
        assert (await world.stack.send("GET", path, key=key)).status == 403
    made = await world.stack.send(
        "POST", "/admin/api/keys", key=key, body={"sub": "user:x", "tenant": "acme"}
    )
    assert made.status == 403
    # A kill of theirs is confined to their tenant, whatever they select.
    killed = await world.stack.send("POST", "/admin/api/kills", key=key, body={"selector": {"all": "*"}})
    assert killed.status == 201, killed.body
    assert killed.json["selector"] == {"tenant": "globex"}
    assert (await world.steps(await world.key(), "planner", {"model": "fast"}))[0] == [{"ok": "hello"}]
    await world.stack.admin("DELETE", f"/kills/{killed.json['id']}")


async def test_an_ordinary_key_administers_nothing(world: World) -> None:
    key = await world.key()
    for method, path in (
        ("GET", "/keys"),
        ("POST", "/keys"),
        ("POST", "/kills"),
        ("GET", "/spend"),
        ("GET", "/chains/x"),
    ):
        answer = await world.stack.send(
            method, f"/admin/api{path}", key=key, body={} if method == "POST" else None
        )
        assert answer.status == 403, path


async def test_killing_everything_leaves_the_operator_at_the_controls(world: World) -> None:
    key = await world.key()
    killed = await world.stack.admin("POST", "/kills", {"selector": {"all": "*"}, "reason": "all stop"})
    assert killed.status == 201
    refused = await world.stack.send("POST", "/v1/chat/completions", key=key, body=CHAT)
    assert (refused.status, refused.json["error"]["code"]) == (403, "killed")
    assert [one["id"] for one in (await world.stack.admin("GET", "/kills")).json["kills"]] == [
        killed.json["id"]
    ]
    assert (await world.stack.admin("DELETE", f"/kills/{killed.json['id']}")).status == 200

    async def works() -> bool:
        return (await world.stack.send("POST", "/v1/chat/completions", key=key, body=CHAT)).status == 200

    await eventually(works, "the model gateway has heard of it, too")


@pytest.mark.parametrize("selector", [{}, {"user": "user:"}, {"all": "some"}, {"colour": "red"}, {"key": ""}])
async def test_a_kill_that_could_hit_nothing_is_refused_in_words(
    world: World, selector: dict[str, str]
) -> None:
    answer = await world.stack.admin("POST", "/kills", {"selector": selector})
    assert answer.status == 400, answer.body
    assert "selector" in answer.json["detail"]


async def test_all_four_services_say_what_they_obey_and_a_change_reaches_each_of_them(world: World) -> None:
    made = await world.stack.admin("POST", "/kills", {"selector": {"agent": "nobody"}})

    async def converged() -> dict[str, Any]:
        found: dict[str, Any] = (await world.stack.admin("GET", "/status")).json
        kills = found["snapshots"]["kills"]
        return found if found["ok"] and kills["replicas"] == 4 and kills["ms"] is not None else {}

    found = await eventually(converged, "the kill list got round")
    await world.stack.admin("DELETE", f"/kills/{made.json['id']}")
    here = [one for one in found["replicas"] if not one["gone"]]
    assert sorted(one["service"] for one in here) == sorted(SERVICES)
    assert all(one["unconfirmed"]["kills"] < 10 for one in here)
