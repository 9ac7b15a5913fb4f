"""What the ledger holds can be taken elsewhere, in steps, and verified there with nothing but public keys."""

import asyncio
import json
import sys
from pathlib import Path

import msgspec
import pytest

from shared.store import SigningKey, open_store
from tests.api_gateway.office import Said, said
from tests.shared.ledger.signed import SIGNER, WRITER, signed
from tests.support.collector import Collector
from tests.support.serve import serving

ROWS = signed(40, every=10)


class Place:
    """A folder with a configuration and the database that it names."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "gatestack.yaml"
        self.config.write_text(f"state: {{dir: {directory}/state}}\n")

    def path(self, name: str) -> str:
        return str(self.directory / name)

    async def add(self, first: int, last: int) -> None:
        store = open_store(f"sqlite://{self.directory}/state/gatestack.db")
        await store.append(ROWS[first - 1 : last])
        [key] = msgspec.json.decode(SIGNER.jwks())["keys"]
        await store.add_signing_key(
            SigningKey(kid=SIGNER.kid, issuer="llm_gateway", jwk=msgspec.json.encode(key))
        )
        await store.close()

    async def say(self, *argv: str) -> Said:
        return await asyncio.to_thread(said, "audit", *argv, "--config", str(self.config))

    async def export(self, *more: str) -> Said:
        return await self.say(
            "export", "--to", self.path("rows.jsonl"), "--position", self.path("at.json"), *more
        )

    async def verify(self, *more: str) -> Said:
        keys = self.directory / "keys.json"
        keys.write_text((await self.say("keys")).out)
        return await self.say(
            "verify", "--rows", self.path("rows.jsonl"), "--jwks", str(keys), "--json", *more
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_an_export_goes_on_where_the_last_one_ended_and_is_verified_offline(place: Place) -> None:
    await place.add(1, 25)
    assert (await place.export()).err == "25 rows exported\n"
    await place.add(26, 40)
    assert (await place.export()).err == "15 rows exported\n"
    assert (await place.export()).err == "0 rows exported\n"
    assert json.loads(Path(place.path("at.json")).read_text()) == {WRITER: 40}
    verified = await place.verify("--position", place.path("at.json"))
    assert (verified.code, verified.json["rows"], verified.json["checkpoints"]) == (0, 40, 4)


async def test_whoever_changes_the_exported_file_or_cuts_it_off_is_found(place: Place) -> None:
    await place.add(1, 40)
    await place.export()
    file = Path(place.path("rows.jsonl"))
    true = file.read_bytes()
    file.write_bytes(true.replace(b'"cost_micros":17', b'"cost_micros":99'))
    verified = await place.verify()
    assert verified.code == 1
    assert [(found["seq"], found["kind"]) for found in verified.json["findings"]] == [(17, "changed")]
    file.write_bytes(b"".join(true.splitlines(keepends=True)[:33]))
    assert (await place.verify()).code == 0
    verified = await place.verify("--position", place.path("at.json"))
    assert [(found["seq"], found["kind"]) for found in verified.json["findings"]] == [(34, "truncated")]


async def test_an_earlier_export_shows_that_the_database_was_cut_off(place: Place) -> None:
    await place.add(1, 40)
    await place.export()
    store = open_store(f"sqlite://{place.directory}/state/gatestack.db")
    for table in ("ledger WHERE seq > 15", "checkpoints"):
        await store._tell(f"DELETE FROM {table}")  # type: ignore[attr-defined]
    await store.close()
    verified = await place.say("verify", "--anchors", place.path("rows.jsonl"), "--json")
    found = [(one["seq"], one["kind"]) for one in verified.json["findings"] if one["writer"]]
    assert found == [(16, "truncated")]


async def test_rows_go_to_standard_output_alone(place: Place) -> None:
    await place.add(1, 3)
    code = (
        "import sys; from api_gateway.cli import main;"
        f"sys.exit(main(['audit', 'export', '--config', {str(place.config)!r}]))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert [json.loads(line)["seq"] for line in out.splitlines()] == [1, 2, 3]


async def test_a_collector_that_refuses_leaves_the_position_where_it_was(place: Place) -> None:
    await place.add(1, 5)
    collector = Collector()
    async with serving(collector) as url:
        going = ("export", "--to", url, "--position", place.path("at.json"))
        collector.broken = True
        refused = await place.say(*going)
        assert (refused.code, Path(place.path("at.json")).exists()) == (1, False)
        assert "400" in refused.err
        collector.broken = False
        assert (await place.say(*going, "--header", "x-key=secret")).code == 0
    assert len(collector.logs) == 5


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (("verify", "--rows", "x.jsonl"), "--jwks"),
        (("verify", "--rows", "x.jsonl", "--jwks", "nowhere.json"), "nowhere.json"),
        (("verify", "--position", "x.json"), "--position"),
        (("export", "--since", "soon"), "since"),
        (("export", "--header", "nameless"), "NAME=VALUE"),
        (("export", "--to", "syslog://"), "syslog"),
        (("export", "--to", "nowhere/rows.jsonl"), "nowhere"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words(
    place: Place, argv: tuple[str, ...], word: str
) -> None:
    answer = await place.say(*argv)
    assert answer.code == 2
    assert word in answer.err


async def test_before_anything_was_signed_there_are_no_keys_to_keep(place: Place) -> None:
    none = await place.say("keys")
    assert (none.code, none.out) == (1, "")
    assert "no checkpoint has been signed" in none.err
