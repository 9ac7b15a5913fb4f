"""What the doctor looks at: each thing that is wrong is found, with what to do, and nothing is changed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from api_gateway.cli import config as configuration
from api_gateway.cli.show import Output, lines
from api_gateway.config import Section, problems
from api_gateway.doctor import examine
from api_gateway.doctor.files import secrets, state_folder
from api_gateway.doctor.finding import Case, Finding
from api_gateway.doctor.network import certificates, upstreams
from api_gateway.doctor.processes import processes
from api_gateway.doctor.programs import programs
from api_gateway.doctor.state import database, redis
from shared.clock import Clock
from shared.config import load, load_plain
from shared.identity.signing import Signer
from shared.redis_client import Redis
from shared.store import open_store
from shared.store.examine import examined
from shared.valkey import EmbeddedValkey
from tests.api_gateway.office import Office
from tests.support.postgres import Postgres
from tests.support.serve import serving
from tests.support.tls import Authority, key_of
from tests.support.tls_app import app


def _case(directory: Path, **sections: Any) -> Case:
    path = directory / "gatestack.yaml"
    path.write_text(yaml.safe_dump(sections))
    loaded = load(path, "api_gateway", Section, problems, {})
    return Case(path=path, loaded=loaded, whole=load_plain(path, {}), clock=Clock())


def _bad(found: list[Finding]) -> list[tuple[str, str]]:
    assert all(one.do for one in found if one.level != "ok")
    return [(one.level, one.what) for one in found if one.level != "ok"]


async def test_a_secret_that_others_read_is_found(tmp_path: Path) -> None:
    case = _case(tmp_path, identity={"keys_dir": "keys"}, state={"dir": "state"})
    [(level, what)] = _bad(await state_folder(case))
    assert (level, "is not there" in what) == ("warning", True)
    Signer.load_or_create(tmp_path / "keys", "api_gateway")
    (tmp_path / "state").mkdir()
    assert _bad([*await state_folder(case), *await secrets(case)]) == []
    operator = tmp_path / "state" / "operator.key"
    operator.write_text("gsk_x")
    operator.chmod(0o640)
    assert _bad(await secrets(case)) == [("error", f"{operator} has mode 0640")]
    operator.chmod(0o600)
    private = next(path for path in (tmp_path / "keys").iterdir() if b"PRIVATE" in path.read_bytes())
    private.chmod(0o604)
    assert [what for _, what in _bad(await secrets(case))] == [f"{private} has mode 0604"]


async def test_a_redis_that_is_gone_or_forgets_is_found(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    gone = _case(tmp_path, state={"dir": str(tmp_path), "redis": "embedded"})
    [(level, what)] = _bad(await redis(gone))
    assert (level, "no Redis at" in what) == ("error", True)
    case = _case(tmp_path, state={"dir": str(tmp_path), "redis": valkey.url})
    client = await Redis.connect(valkey.url)
    before = (await client.execute("CONFIG", "GET", "maxmemory-policy"))[1]
    try:
        await client.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert ("error", "maxmemory-policy is allkeys-lru") in _bad(await redis(case))
        await client.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert "maxmemory" not in str(_bad(await redis(case)))
        slow = Case(path=case.path, loaded=case.loaded, whole={}, clock=_Late())
        assert any("clock is -60" in what for _, what in _bad(await redis(slow)))
    finally:
        await client.execute("CONFIG", "SET", "maxmemory-policy", before)
        await client.close()


class _Late(Clock):
    def now_us(self) -> int:
        return super().now_us() - 60_000_000


async def test_a_database_is_looked_at_and_left_as_it_is(tmp_path: Path, postgres: Postgres) -> None:
    case = _case(tmp_path, state={"dir": "state"})
    assert (await database(case))[0].level == "ok"
    assert not (tmp_path / "state").exists()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "gatestack.db").write_text("no database at all, but a text that is long enough")
    assert [level for level, _ in _bad(await database(case))] == ["error"]
    url = await postgres.database()
    assert (await examined(url)).version == 0
    assert (await examined(url)).version == 0
    store = open_store(url)
    await store.policies()
    there = await examined(url)
    assert there.version == there.known
    await store.close()
    lost = _case(tmp_path, state={"dir": "s", "sql": url.replace("postgresql:///", "postgresql:///not_")})
    assert [level for level, _ in _bad(await database(lost))] == ["error"]


async def test_upstreams_that_do_not_answer_and_certificates_that_end_are_found(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    old, good = authority.issue("old", expired=True), authority.issue("good")
    tls = {"certificate": str(old), "key": str(key_of(old))}
    async with serving(app) as plain:
        whole: dict[str, Any] = {
            "llm_gateway": {"tls": tls, "providers": {"openai": {"base_url": f"{plain}/v1"}}},
            "mcp_gateway": {"servers": {"git": {"transport": {"url": "https://127.0.0.1:9/mcp"}}}},
            "agent_gateway": {"agents": {"typo": {"card_url": "https://agents..example/card.json"}}},
            "api_gateway": {
                "oauth": {"public_url": "https://gate.example"},
                "gateways": {"tls": {"ca": "no.pem"}},
            },
        }
        case = Case(path=tmp_path, loaded=_case(tmp_path).loaded, whole=whole, clock=Clock())
        [(level, what), typo] = _bad(await upstreams(case))
        assert level == "error"
        assert what.startswith("mcp_gateway.servers.git.transport.url: 127.0.0.1:9 does not answer")
        assert typo[1].startswith("agent_gateway.agents.typo.card_url: agents..example does not resolve: ")
        missing, ended = _bad(await certificates(case))
        assert (missing[0], "no.pem" in missing[1]) == ("error", True)
        assert ended == ("error", f"llm_gateway.tls.certificate: {old}: ended 2020-01-01")
        whole["llm_gateway"]["tls"] = {"certificate": str(good)}
        del whole["api_gateway"]["gateways"]
        assert _bad(await certificates(case)) == []


def _children(**transports: dict[str, Any]) -> dict[str, Any]:
    servers = {name: {"transport": {"type": "stdio", **transport}} for name, transport in transports.items()}
    return {"mcp_gateway": {"servers": servers}}


async def test_programs_of_tool_servers_that_are_not_there_are_found(tmp_path: Path) -> None:
    tool = tmp_path / "tools" / "mine"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    bare = {"PATH": str(tmp_path / "tools")}
    good = _children(
        by_name={"command": "sh"},
        by_path={"command": "tools/mine", "cwd": "tools"},
        own={"command": "mine", "env": bare},
    )
    http = {"web": {"transport": {"type": "http", "url": "https://tools.example/mcp"}}}
    good["mcp_gateway"]["servers"] |= http
    [well] = await programs(_case(tmp_path, **good))
    assert (well.level, well.what) == ("ok", "those of 3 tool servers are there")
    tool.chmod(0o644)
    bad = _children(
        gone={"command": "no-such-program"},
        lost={"command": "tools/none"},
        plain={"command": "tools/mine"},
        hidden={"command": "sh", "env": bare},
        apart={"command": "sh", "cwd": "nowhere"},
    )
    at, folder = "mcp_gateway.servers", tmp_path
    assert _bad(await programs(_case(tmp_path, **bad))) == [
        ("error", f"{at}.apart.transport.cwd: there is no folder {folder}/nowhere"),
        ("error", f"{at}.gone.transport.command: there is no program 'no-such-program' in its PATH"),
        ("error", f"{at}.hidden.transport.command: there is no program 'sh' in its PATH"),
        ("error", f"{at}.lost.transport.command: there is no file {folder}/tools/none"),
        ("error", f"{at}.plain.transport.command: {folder}/tools/mine cannot be executed"),
    ]
    elsewhere = _case(tmp_path, **bad, state={"redis": "redis://redis:6379/0"})
    assert {level for level, _ in _bad(await programs(elsewhere))} == {"warning"}


async def test_a_file_that_is_no_configuration_names_no_programs(tmp_path: Path) -> None:
    whole: dict[str, Any] = {"mcp_gateway": {"servers": {"x": None, "y": {"transport": {"type": "stdio"}}}}}
    [well] = await programs(_case(tmp_path, **whole))
    assert (well.level, well.what) == ("ok", "no tool server is a child process")


def test_processes_that_are_missing_behind_or_off_in_time_are_told() -> None:
    one = {"service": "llm_gateway", "host": "a", "pid": 1, "gone": False, "problems": ["no policy yet"]}
    late = {"service": "api_gateway", "host": "b", "pid": 2, "gone": False, "problems": [], "skew_ms": 2500.0}
    status = {
        "replicas": [one | {"skew_ms": 0.0}, late, late | {"service": "mcp_gateway", "gone": True}],
        "snapshots": {"keys": {"replicas": 2, "behind": 1}},
        "regions": [
            {"name": "service:eu", "gone": True, "silent_seconds": 60.0, "behind": [], "problems": ["old"]},
            {"name": "service:us", "gone": False, "silent_seconds": 1.0, "behind": ["kills"], "problems": []},
        ],
        "plane": {"address": "https://control.example", "silent_seconds": 9.0, "trouble": "no answer"},
        "database": "gone",
    }
    told = [what for _, what in _bad(processes(status))]
    assert told == [
        "no mcp_gateway runs",
        "no agent_gateway runs",
        "llm_gateway at a (1): no policy yet",
        "api_gateway at b (2): its clock is +2.5 s off Redis's",
        "1 of 2 processes run an older version of keys",
        "the region service:eu: silent for 60 s: nobody knows what it obeys",
        "the region service:us: it runs an older version of kills",
        "the control plane at https://control.example: no answer",
        "the edge says: gone",
    ]


async def test_the_command_tells_it_all_at_once(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def check(path: str) -> Output:
        """Four processes that take seconds are asked in the tests of `gatestack config`."""
        return Output({"problems": said}, lines(""), as_json=False, code=2 if said else 0)

    monkeypatch.setattr(configuration, "check", check)
    config = str(tmp_path / "api_gateway" / "gatestack.yaml")
    answer = await office.say("doctor", "--config", config, "--json")
    found = {one["check"] for one in answer.json["findings"] if one["level"] == "ok"}
    assert {"configuration", "state", "keys", "redis", "database"} <= found, answer
    assert "no llm_gateway runs" in answer.out
    assert (answer.code, answer.json["ok"]) == (1, False)
    said.append("llm_gateway.colour: unknown name")
    told = await office.say("doctor", "--config", config)
    assert "error    configuration: llm_gateway.colour: unknown name\n" in told.out
    assert "         -> put it right" in told.out


async def test_an_examination_changes_nothing(tmp_path: Path) -> None:
    case = _case(
        tmp_path, state={"dir": "state"}, api_gateway={"gateways": {"llm_gateway": ["http://127.0.0.1:9"]}}
    )
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert any(one.check == "upstreams" and one.level == "error" for one in await examine(case))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
