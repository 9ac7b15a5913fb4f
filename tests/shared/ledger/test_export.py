"""An export goes on where the last one ended, and leaves nothing behind that arrives late."""

from pathlib import Path

import pytest

from shared.errors import BadRequest
from shared.ledger.export import leaving, load, save
from shared.store import Store, open_store
from shared.store.columns import DAY_US
from tests.shared.ledger.signed import WRITER, signed
from tests.support.rows import START_US


async def seqs(store: Store, position: dict[str, int] | None = None, now: int = START_US) -> list[int]:
    return [row.seq async for _, row in leaving(store, position or {}, now)]


async def test_rows_leave_writer_by_writer_in_the_order_of_their_chains(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/a.db")
    await store.append([*reversed(signed(5, every=9)), *signed(3, every=9, writer="mcp_gateway-w")])
    left = [(writer, row.seq) async for writer, row in leaving(store, {WRITER: 3}, START_US)]
    assert left == [(WRITER, 4), (WRITER, 5), *(("mcp_gateway-w", seq) for seq in (1, 2, 3))]
    await store.close()


async def test_what_lies_behind_a_gap_waits_until_a_checkpoint_says_that_the_gap_stays(
    tmp_path: Path,
) -> None:
    store = open_store(f"sqlite://{tmp_path}/a.db")
    rows = signed(12, every=10)
    await store.append([*rows[:4], *rows[5:8]])
    assert await seqs(store) == [1, 2, 3, 4]
    await store.append(rows[8:])
    assert await seqs(store, {WRITER: 4}) == [6, 7, 8, 9, 10, 11, 12]
    await store.close()


async def test_a_row_that_arrives_late_is_not_left_behind(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/a.db")
    rows = signed(6, every=10)
    await store.append([*rows[:2], *rows[3:]])
    assert await seqs(store) == [1, 2]
    await store.append(rows[2:3])
    assert await seqs(store, {WRITER: 2}) == [3, 4, 5, 6]
    await store.close()


async def test_what_a_killed_writer_left_behind_a_gap_leaves_after_a_day(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/a.db")
    rows = signed(6, every=10)
    await store.append([*rows[:2], *rows[3:]])
    assert await seqs(store, {WRITER: 2}, START_US + DAY_US - 1) == []
    assert await seqs(store, {WRITER: 2}, START_US + DAY_US) == [4, 5, 6]
    await store.close()


def test_a_position_is_kept_and_a_file_of_another_kind_is_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "position.json"
    assert load(path) == {}
    save(path, {WRITER: 7})
    assert load(path) == {WRITER: 7}
    assert [file.name for file in tmp_path.iterdir()] == ["position.json"]
    path.write_text('{"w": "many"}')
    with pytest.raises(BadRequest, match=r"position\.json"):
        load(path)
