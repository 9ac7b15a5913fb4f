"""Spend as Parquet is what the records say, with types; without the library the command says what to do."""

import asyncio
import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from arro3.io import read_parquet

from api_gateway import cli
from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.spend_parquet import parquet
from shared.ledger.entry import Usage
from tests.api_gateway.office import opened
from tests.support.rows import caller, entry

RECORDS = [
    {"team": "support", "calls": 3, "BilledCost": 1.5, "change": None, "ChargeClass": None},
    {"team": "", "calls": 2**40, "BilledCost": 0, "change": 0.5, "ChargeClass": None},
]


def columns(content: bytes) -> dict[str, list[Any]]:
    table = read_parquet(io.BytesIO(content)).read_all()
    return {name: list(table.column(name).to_pylist()) for name in table.schema.names}


def test_every_column_comes_back_with_its_values_and_their_type() -> None:
    found = columns(parquet(RECORDS))
    assert found == {name: [record[name] for record in RECORDS] for name in RECORDS[0]}
    assert [type(value) for value in found["BilledCost"]] == [float, float]


def test_without_records_there_is_no_file_and_without_the_library_a_word_of_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(CommandFailed, match="nothing"):
        parquet([])
    monkeypatch.setitem(sys.modules, "arro3.io", None)
    with pytest.raises(CommandFailed, match="arro3-core arro3-io"):
        parquet(RECORDS)


async def test_the_command_writes_focus_records_as_bytes(tmp_path: Path) -> None:
    async with opened(tmp_path) as office:
        usage = Usage(tokens_in=10, tokens_out=5)
        spent = entry(caller(team="support"), usage=usage, cost_micros=3_000_000, model="m", provider="p")
        await office.remember([spent])
        argv = ["spend", "--since", "2020-01-01", "--until", "2030-01-01", "--focus", "--format", "parquet"]
        argv += ["--url", office.edge.url, "--key-file", str(office.key_file)]
        out = io.TextIOWrapper(io.BytesIO())
        with contextlib.redirect_stdout(out):
            assert await asyncio.to_thread(cli.main, argv) == 0
    found = columns(out.buffer.getvalue())
    assert (found["BilledCost"], found["SubAccountId"], found["x_TokensIn"]) == ([3.0], ["support"], [10])
