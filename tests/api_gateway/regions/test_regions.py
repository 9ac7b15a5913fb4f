"""A region obeys the control plane and nobody else, keeps what was good, and says how it stands."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from shared.snapshots import EPOCHS
from tests.api_gateway.office import Office
from tests.api_gateway.regions.domains import asked, centre_at, obeys, puller_of, region_at
from tests.support.wait import eventually


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Office]:
    async with centre_at(tmp_path) as office:
        yield office


async def test_a_region_obeys_the_control_plane_which_sees_how_fast(tmp_path: Path, centre: Office) -> None:
    operator = centre.key_file.read_text().strip()
    async with region_at(tmp_path, centre.edge.url, await centre.key("service:eu", "system")) as region:
        await obeys(centre, region)
        status, here = await asked(region, "GET", "/status", key=operator)
        assert (status, here["plane"]["address"], here["plane"]["trouble"]) == (200, centre.edge.url, "")
        made = await centre.ask("POST", "/kills", {"selector": {"agent": "x"}})
        assert made.status == 201
        await obeys(centre, region)

        async def measured() -> bool:
            [eu] = (await centre.ask("GET", "/status")).body["regions"]
            assert (eu["name"], eu["gone"]) == ("service:eu", False)
            kills = eu["runs"].get("kills")
            return not (eu["behind"] or eu["problems"]) and kills and kills["ms"] is not None

        await eventually(measured, "the control plane knows how long the kill took")
        said = await centre.say("status")
        assert "service:eu" in said.out


async def test_a_region_takes_no_change_and_says_who_does(tmp_path: Path, centre: Office) -> None:
    operator = centre.key_file.read_text().strip()
    async with region_at(tmp_path, centre.edge.url, await centre.key("service:eu", "system")) as region:
        await obeys(centre, region)
        before = await region.parts.snapshots.published()
        kill = {"selector": {"all": "*"}}
        for method, path, body in (
            ("POST", "/keys", {"sub": "user:eve", "tenant": "acme"}),
            ("GET", "/keys", None),
            ("POST", "/kills", kill),
            ("GET", "/kills", None),
            ("GET", "/policy", None),
            ("PUT", "/objects", {"changes": []}),
            ("POST", "/regions/pull", {}),
            ("PUT", "/objects/kill/x", {"spec": kill, "reason": "mine"}),
        ):
            status, told = await asked(region, method, path, body, key=operator)
            assert status == 409, (method, path, told)
            assert centre.edge.url in told["detail"]
        assert (await asked(region, "POST", "/kills", kill | {"dry_run": True}, key=operator))[0] == 200
        assert (await asked(region, "GET", "/spend", key=operator))[0] == 200
        assert await region.parts.snapshots.published() == before


async def test_what_the_regions_own_edge_signs_is_no_word_of_the_control_plane(
    tmp_path: Path, centre: Office
) -> None:
    async with region_at(tmp_path, centre.edge.url, await centre.key("service:eu", "system")) as region:
        await obeys(centre, region)
        parts = region.parts
        held = parts.snapshots.epochs()["kills"]
        await parts.snapshots.publish("kills", b"[]", held + 1, parts.signer)
        await eventually(lambda: "kills" in parts.snapshots.trouble, "it is refused")
        assert parts.snapshots.epochs()["kills"] == held
        # The next word of the control plane takes its place, whatever epoch the forgery claims.
        await parts.redis.execute("HSET", EPOCHS, "kills", 10**15)
        await centre.ask("POST", "/kills", {"selector": {"agent": "x"}})
        await obeys(centre, region)
        assert "kills" not in parts.snapshots.trouble


async def test_killing_everything_reaches_a_region_and_so_does_lifting_it(
    tmp_path: Path, centre: Office
) -> None:
    async with region_at(tmp_path, centre.edge.url, await centre.key("service:eu", "system")) as region:
        key = await centre.key("user:alice", "acme")
        await obeys(centre, region)
        assert (await asked(region, "GET", "/status", key=key))[1]["reason"] == "forbidden"
        made = await centre.ask("POST", "/kills", {"selector": {"all": "*"}})
        await obeys(centre, region)
        assert (await asked(region, "GET", "/status", key=key))[1]["reason"] == "killed"
        assert (await centre.ask("DELETE", f"/kills/{made.body['id']}")).status == 200
        await obeys(centre, region)
        assert (await asked(region, "GET", "/status", key=key))[1]["reason"] == "forbidden"


async def test_what_a_region_says_of_itself_is_told_as_text(centre: Office) -> None:
    key = await centre.key("service:eu", "system")
    told = {"problems": ["\x1b[2Jall is well"], "runs": {"kills": {"epoch": 1, "processes": 3, "ago_ms": 5}}}
    assert (await centre.ask("POST", "/regions/pull", told, key=key)).status == 200
    [eu] = (await centre.ask("GET", "/status")).body["regions"]
    assert eu["problems"] == ["\\u{1b}[2Jall is well"]
    assert eu["behind"] == ["kills"]
    assert (await centre.say("status")).code == 1


async def test_only_who_may_pull_reads_what_all_obey(tmp_path: Path, centre: Office) -> None:
    rules = [
        {"id": "reads", "sub": "user:reader", "dom": "*", "obj": "admin:*", "act": "read"},
        {"id": "all", "sub": "user:admin", "dom": "acme", "obj": "*", "act": "*"},
    ]
    current = (await centre.ask("GET", "/policy")).body
    policy = current["policy"] | {"rules": [*current["policy"]["rules"], *rules]}
    body = {"policy": policy, "reason": "roles"}
    assert (await centre.ask("PUT", "/policy", body, if_match=current["etag"])).status == 200
    reader, admin = await centre.key("user:reader", "system"), await centre.key("user:admin", "acme")
    for key in (reader, admin):
        answer = await centre.ask("POST", "/regions/pull", {}, key=key)
        assert answer.status == 403
        assert b"changed" not in msgspec.json.encode(answer.body)
    pulled = await centre.ask("POST", "/regions/pull", {}, key=await centre.key("service:eu", "system"))
    assert set(pulled.body["changed"]) == {"agents", "catalog", "keys", "kills", "policy"}


async def test_a_question_that_asks_too_much_is_refused(centre: Office) -> None:
    key = await centre.key("service:eu", "system")
    for body in (
        {"wait_seconds": 600},
        {"wait_seconds": -1},
        {"holds": {"kills": "x"}},
        {"holds": {f"n{'a' * n}": "0" * 32 for n in range(1, 40)}},
        {"holds": {"../kills": "0" * 32}},
        {"runs": {"kills": {"epoch": -1, "processes": 1}}},
        {"problems": ["x" * 1000]},
        {"name": "service:us"},
    ):
        assert (await centre.ask("POST", "/regions/pull", body, key=key)).status == 400, body


async def test_a_region_whose_key_is_revoked_keeps_what_it_has_and_is_forgotten(
    tmp_path: Path, centre: Office
) -> None:
    made = await centre.ask("POST", "/keys", {"sub": "service:eu", "tenant": "system"})
    async with region_at(tmp_path, centre.edge.url, made.body["secret"]) as region:
        await obeys(centre, region)
        assert (await centre.ask("DELETE", f"/keys/{made.body['id']}")).status == 200
        await eventually(lambda: "401" in puller_of(region).trouble, "the region is refused")
        assert (await centre.ask("GET", "/status")).body["regions"] == []
        assert region.parts.problems() == []
        assert "policy" in region.parts.snapshots.epochs()
