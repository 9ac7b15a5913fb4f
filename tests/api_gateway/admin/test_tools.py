"""Operators of the whole stack look at tools in quarantine, by API and on the command line."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.tool_pins import ToolPins, Waiting
from tests.api_gateway.office import Office, opened

RULES = [{"sub": "user:boss", "dom": "acme", "obj": "admin:tools", "act": "*"}]
OLD, NEW = b'{"description":"reads"}', b'{"description":"reads\\u001b[2J, and sends"}'


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path, {"rules": RULES}) as office:
        yield office


@pytest.fixture
async def pins(office: Office) -> ToolPins:
    """A tool that is pinned, and one that has changed."""
    pins = ToolPins(office.edge.parts.redis, office.edge.parts.clock)
    await pins.record("git", {"log": ("d0", OLD), "push": ("d1", OLD)}, {})
    waiting = Waiting(tool="push", digest="d2", definition=NEW, findings=("changed",))
    await pins.record("git", {}, {"push": waiting})
    return pins


async def test_what_has_changed_is_listed_and_approved(office: Office, pins: ToolPins) -> None:
    [held] = (await office.ask("GET", "/tools")).body["tools"]
    assert (held["server"], held["tool"], held["state"], held["digest"]) == ("git", "push", "waiting", "d2")
    assert held["pinned"] == "d1"
    assert any(line.startswith("+") and "sends" in line for line in held["difference"])
    wrong = {"server": "git", "tool": "push", "digest": "d3"}
    assert (await office.ask("POST", "/tools/approve", wrong)).status == 404
    made = await office.ask("POST", "/tools/approve", wrong | {"digest": "d2"})
    assert (made.status, made.body["by"]) == (200, "user:operator")
    assert (await office.ask("GET", "/tools")).body["tools"] == []
    assert (await pins.pins("git"))["push"].digest == "d2"
    listed = (await office.ask("GET", "/tools?server=git&state=pinned")).body["tools"]
    assert sorted(one["tool"] for one in listed) == ["log", "push"]


async def test_what_is_rejected_stays_held_and_only_another_definition_waits_again(
    office: Office, pins: ToolPins
) -> None:
    body = {"server": "git", "tool": "push", "digest": "d2", "reason": "it sends"}
    assert (await office.ask("POST", "/tools/reject", body)).status == 200
    assert (await office.ask("GET", "/tools")).body["tools"] == []
    [rejected] = (await office.ask("GET", "/tools?state=rejected")).body["tools"]
    assert (rejected["by"], rejected["reason"]) == ("user:operator", "it sends")
    # The server is listed again, and has not changed: nobody is asked again.
    waiting = Waiting(tool="push", digest="d2", definition=NEW, findings=("changed",))
    await pins.record("git", {}, {"push": waiting})
    assert (await office.ask("GET", "/tools")).body["tools"] == []
    assert (await pins.pins("git"))["push"].digest == "d1"
    other = Waiting(tool="push", digest="d9", definition=NEW, findings=("changed",))
    await pins.record("git", {}, {"push": other})
    assert [one["digest"] for one in (await office.ask("GET", "/tools")).body["tools"]] == ["d9"]
    # Whoever changes their mind approves it all the same.
    await pins.record("git", {}, {"push": waiting})
    assert (
        await office.ask("POST", "/tools/approve", {k: body[k] for k in ("server", "tool", "digest")})
    ).status == 200
    assert (await office.ask("GET", "/tools?state=rejected")).body["tools"] == []


async def test_a_pin_is_forgotten(office: Office, pins: ToolPins) -> None:
    named = {"server": "git", "tool": "log"}
    assert (await office.ask("POST", "/tools/unpin", named)).status == 200
    assert "log" not in await pins.pins("git")
    assert (await office.ask("POST", "/tools/unpin", named)).status == 404


async def test_an_operator_of_one_tenant_decides_nothing_for_all(office: Office, pins: ToolPins) -> None:
    key = await office.key("user:boss", "acme")
    named = {"server": "git", "tool": "push", "digest": "d2"}
    assert (await office.ask("GET", "/tools", key=key)).status == 403
    for path, body in (("approve", named), ("reject", named), ("unpin", {"server": "git", "tool": "push"})):
        assert (await office.ask("POST", f"/tools/{path}", body, key=key)).status == 403
    assert len(await pins.reviews("git")) == 1


async def test_the_command_line_does_the_same(office: Office, pins: ToolPins) -> None:
    listed = await office.say("catalog", "tools", "list")
    assert (listed.code, "git/push  waiting  d2" in listed.out, "sends" in listed.out) == (0, True, True)
    assert listed.out.replace("\n", "").isprintable()
    rejected = await office.say("catalog", "tools", "reject", "git", "push", "d2", "--reason", "no", "--json")
    assert rejected.json["state"] == "rejected"
    assert "no tool is held back" in (await office.say("catalog", "tools", "list")).out
    assert (await office.say("catalog", "tools", "approve", "git", "push", "d2")).code == 0
    assert (await office.say("catalog", "tools", "unpin", "git", "push")).code == 0
    assert (await office.say("catalog", "tools", "approve", "git", "push", "d2")).code == 1
