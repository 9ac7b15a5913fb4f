"""Who has lost the operator's key gets back in from the machine of the edge, whatever state is kept in, and
nobody else does.
"""

import asyncio
from pathlib import Path

import pytest

from api_gateway.app import SERVICE
from shared.ledger.row import Row
from shared.valkey import EmbeddedValkey
from tests.api_gateway.office import Office, Said, opened, said
from tests.support.serve import running
from tests.support.stack import OPERATOR_ROLE, OPERATOR_RULE
from tests.support.valkey import emptied
from tests.support.wait import eventually


def _config(directory: Path) -> Path:
    return directory / "api_gateway" / "gatestack.yaml"


async def _again(directory: Path, *more: str) -> Said:
    config = str(_config(directory))
    return await asyncio.to_thread(said, "keys", "operator", "--config", config, *more)


async def _state_of(office: Office) -> dict[str, str]:
    keys = (await office.ask("GET", "/keys")).body["keys"]
    return {key["id"]: "revoked" if key["revoked_at"] else "good" for key in keys}


async def _obeys(office: Office, lost: str, name: str) -> None:
    """The key in the file is one, and the lost one, the key `name`, is none any more."""
    await eventually(lambda: office.edge.parts.keyring.revoked(name), "the edge has heard of it")
    assert (await office.ask("GET", "/keys")).status == 200
    refused = await office.ask("GET", "/keys", key=lost)
    assert (refused.status, refused.body["detail"][:25]) == (401, "this key has been revoked")


async def _told(office: Office) -> list[Row]:
    rows = await office.edge.rows(1, "system")
    return [row for row in rows if row.method == "gatestack keys operator"]


async def test_while_the_edge_runs_it_is_heard_of_at_once(tmp_path: Path, sql: str) -> None:
    async with opened(tmp_path, sql=sql) as office:
        lost = office.key_file.read_text().strip()
        office.key_file.unlink()
        done = await _again(tmp_path)
        assert (done.code, done.err) == (0, "")
        assert done.out == (
            f"the key of user:operator in system is in {office.key_file}\nrevoked: first-operator\n"
        )
        assert office.key_file.stat().st_mode & 0o777 == 0o600
        assert office.key_file.read_text().strip() != lost
        await _obeys(office, lost, "first-operator")
        [row] = await eventually(lambda: _told(office), "its row")
        assert (row.principal, row.credential, row.resource) == ("user:operator", "local", "admin:keys")
        assert "revoked first-operator: uid " in row.detail


async def test_a_redis_of_ones_own_hears_of_it_too(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    await emptied(valkey.url)
    state = {"dir": str(tmp_path / "api_gateway" / "state"), "redis": valkey.url}
    async with opened(tmp_path, state=state) as office:
        lost = office.key_file.read_text().strip()
        office.key_file.unlink()
        assert (await _again(tmp_path, "--json")).json["revoked"] == ["first-operator"]
        await _obeys(office, lost, "first-operator")
        # Lost once more, with what somebody has written over it.
        lost = office.key_file.read_text().strip()
        office.key_file.write_text("gsk_nothing\n")
        [again] = (await _again(tmp_path, "--json")).json["revoked"]
        await _obeys(office, lost, again)
        states = await _state_of(office)
        assert (states["first-operator"], states[again]) == ("revoked", "revoked")
        assert list(states.values()).count("good") == 1


async def test_while_no_edge_runs_the_next_one_knows_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as office:
        lost = office.key_file.read_text().strip()
        other = await office.key("user:operator", "system")
    office.key_file.unlink()
    done = await _again(tmp_path)
    assert (done.code, done.err) == (0, "")
    async with opened(tmp_path) as office:
        await _obeys(office, lost, "first-operator")
        # Other keys of the operator are not the one that was lost.
        assert (await office.ask("GET", "/keys", key=other)).status == 200
        assert len(await eventually(lambda: _told(office), "its row")) == 1
    verified = await asyncio.to_thread(said, "audit", "verify", "--config", str(_config(tmp_path)))
    assert verified.code == 0, verified.out


async def test_a_key_that_is_good_is_not_lost(office: Office, tmp_path: Path) -> None:
    before = office.key_file.read_text()
    done = await _again(tmp_path)
    assert (done.code, "is not lost" in done.err) == (1, True), done.err
    assert office.key_file.read_text() == before
    assert await _state_of(office) == {"first-operator": "good"}


@pytest.mark.parametrize(
    ("plane", "why"),
    [("", "no edge has run here"), ("https://centre.example.com", "control plane is https://centre")],
)
async def test_where_no_edge_keeps_its_keys_nothing_is_made(tmp_path: Path, plane: str, why: str) -> None:
    config = _config(tmp_path)
    config.parent.mkdir()
    config.write_text(f"state: {{dir: {tmp_path}/state}}\ncontrol: {{plane: '{plane}'}}\n")
    done = await _again(tmp_path)
    assert done.code != 0
    assert why in done.err
    assert not (tmp_path / "state").exists()


async def test_before_the_first_start_there_is_none_to_lose(tmp_path: Path) -> None:
    policy = {"policy": {"rules": [OPERATOR_RULE], "roles": [OPERATOR_ROLE]}}
    async with running(SERVICE, policy, tmp_path) as edge:
        key = edge.parts.state_dir / "operator.key"
        await eventually(key.exists, "the operator's key")
    (edge.parts.state_dir / "gatestack.db").unlink()
    key.unlink()
    done = await _again(tmp_path)
    assert (done.code, "at its first start" in done.err) == (1, True), done.err
    assert not key.exists()
