"""Every operation, asked by everybody who may not: nothing is seen and nothing is changed."""

import re
from typing import Any

import msgspec

from api_gateway.admin import Page
from shared.store import Store
from tests.api_gateway.office import Office

# What each role of these tests may do; each is asked for all the rest.
ROLES: dict[str, dict[str, str]] = {
    "user:nobody": {},
    "user:caller": {"obj": "model:*", "act": "*"},
    "user:reader": {"obj": "admin:*", "act": "read"},
    "user:keeper": {"obj": "admin:keys", "act": "*"},
}


async def test_whoever_has_no_right_sees_and_changes_nothing(office: Office) -> None:
    pages = await _pages(office)
    keys = {role: await office.key(role, "acme") for role in ROLES}
    rules = [
        {"id": role, "sub": role, "dom": "acme", "eft": "allow", "cond": "", **may}
        for role, may in ROLES.items()
        if may
    ]
    await _allow(office, rules)
    before, asked = await _all(office.store), 0
    for method, path, area, action in pages:
        for role, may in ROLES.items():
            if _may(may, area, action):
                continue
            answer = await office.ask(method, path, {}, key=keys[role], if_match="*")
            assert answer.status == 403, (role, method, path, answer)
            assert set(answer.body) == {"type", "title", "status", "detail", "reason", "instance"}
            asked += 1
        assert (await office.ask(method, path, {}, key="gsk_none")).status in (401, 429), (method, path)
    assert asked > 3 * len(pages) // 2
    assert await _all(office.store) == before


async def test_an_operator_of_one_tenant_sees_and_changes_only_that(office: Office) -> None:
    pages = await _pages(office)
    rule = {"id": "own", "sub": "user:admin", "dom": "globex", "obj": "admin:*", "act": "*"}
    await _allow(office, [rule])
    key = await office.key("user:admin", "globex")
    await office.key("user:bob", "acme", team="support")
    wanted = {"spec": {"sub": "user:eve", "tenant": "acme"}, "reason": "mine now"}
    assert (await office.ask("PUT", "/objects/key/theirs", wanted)).status == 200
    assert (await office.ask("POST", "/kills", {"selector": {"tenant": "acme"}})).status == 201
    before = await _all(office.store)
    for method, path, _, _ in pages:
        path = path.replace("/objects/key/x", "/objects/key/theirs")
        for body in ({}, wanted, {"selector": {"tenant": "acme"}, "tenant": "acme", "sub": "user:x"}):
            answer = await office.ask(method, path, body, key=key, if_match="*")
            assert answer.status < 500, (method, path, answer)
            assert b"user:bob" not in msgspec.json.encode(answer.body), (method, path)
            assert b"user:eve" not in msgspec.json.encode(answer.body), (method, path)
    # Kills and keys of its own it may have made.
    after = await _all(office.store)
    assert {name: rows for name, rows in after.items() if name not in ("kills", "keys")} == {
        name: rows for name, rows in before.items() if name not in ("kills", "keys")
    }
    for name in ("kills", "keys"):
        assert before[name] <= after[name]
        assert all(b"globex" in row for row in after[name] - before[name])


async def test_what_another_tenant_has_cannot_be_ended_by_its_id(office: Office) -> None:
    await _allow(office, [{"id": "own", "sub": "user:admin", "dom": "globex", "obj": "admin:*", "act": "*"}])
    key = await office.key("user:admin", "globex")
    made = await office.ask("POST", "/keys", {"sub": "user:bob", "tenant": "acme"})
    kill = await office.ask("POST", "/kills", {"selector": {"tenant": "acme"}})
    before = await _all(office.store)
    for method, path in (
        ("DELETE", f"/kills/{kill.body['id']}"),
        ("DELETE", f"/keys/{made.body['id']}"),
        ("POST", f"/keys/{made.body['id']}/rotate"),
    ):
        assert (await office.ask(method, path, key=key)).status == 404, (method, path)
    assert (await office.ask("GET", "/kills", key=key)).body["kills"] == []
    assert await _all(office.store) == before


async def _pages(office: Office) -> list[tuple[str, str, str, str]]:
    """Method, path, area and action of everything that is served."""
    pages: list[Page] = office.edge.app.state.pages.pages
    return [
        (page.method, re.sub(r"\{[^}]*\}", "x", page.path), page.area, page.action)
        for page in pages
        if not page.path.startswith("/admin/")
    ]


def _may(may: dict[str, str], area: str, action: str) -> bool:
    return may.get("obj") in (f"admin:{area}", "admin:*") and may["act"] in (action, "*")


async def _allow(office: Office, rules: list[dict[str, Any]]) -> None:
    current = await office.ask("GET", "/policy")
    policy = current.body["policy"]
    body = {"policy": policy | {"rules": [*policy["rules"], *rules]}, "reason": "roles"}
    done = await office.ask("PUT", "/policy", body, if_match=current.body["etag"])
    assert done.status == 200, done


async def _all(store: Store) -> dict[str, set[bytes]]:
    """Everything that the control plane keeps, but when keys were used."""
    return {
        "keys": {msgspec.json.encode(one) for one in await store.keys(None)},
        "kills": {msgspec.json.encode(one) for one in await store.kills()},
        "agents": {msgspec.json.encode(one) for one in await store.agents(None)},
        "catalog": {msgspec.json.encode(one) for one in await store.catalog_entries()},
        "policies": {msgspec.json.encode(one) for one in await store.policies()},
        "marks": {msgspec.json.encode([*what, owner]) for what, owner in (await store.marks()).items()},
    }
