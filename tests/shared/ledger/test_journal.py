"""The journal keeps what it has accepted, whatever happens to the disk, the process or the receiver."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Raw

from shared.errors import Unavailable
from shared.ledger.journal import Journal
from shared.ledger.lines import Waiting
from tests.support.wait import eventually


def line(number: int, size: int = 10) -> Waiting:
    row = b'{"n":%d,"x":"%s"}' % (number, b"x" * size)
    return Waiting("acme", hashlib.sha256(row).hexdigest(), Raw(row))


class Receiver:
    """What lines are sent to; it refuses once `left` are used up."""

    def __init__(self, left: int = 10**6) -> None:
        self.left = left
        self.rows: list[bytes] = []

    async def __call__(self, waiting: Waiting) -> None:
        if self.left == 0:
            raise Unavailable("gone")
        self.left -= 1
        self.rows.append(bytes(waiting.row))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = opened(tmp_path, "mine")
    yield journal
    await journal.close()


def opened(directory: Path, writer: str) -> Journal:
    journal = Journal(directory)
    journal.claim(writer)
    return journal


async def test_what_is_appended_is_sent_once_byte_for_byte_and_then_the_file_is_gone(
    journal: Journal, tmp_path: Path
) -> None:
    await asyncio.gather(*(journal.append(line(number)) for number in range(300)))
    assert journal.waiting > 0
    receiver = Receiver()
    assert await journal.replay(receiver) == 300
    assert receiver.rows == [bytes(line(number).row) for number in range(300)]
    assert (journal.waiting, list(tmp_path.iterdir())) == (0, [])
    assert await journal.replay(receiver) == 0


async def test_appends_that_come_together_share_a_sync(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fdatasync

    def counted(file: int) -> None:
        synced.append(file)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    await asyncio.gather(*(journal.append(line(number)) for number in range(200)))
    assert 1 <= len(synced) <= 3


async def test_an_append_returns_only_when_its_line_is_on_disk(journal: Journal, tmp_path: Path) -> None:
    await journal.append(line(1))
    assert bytes(line(1).row) in (tmp_path / "mine.jsonl").read_bytes()
    assert (tmp_path / "mine.jsonl").stat().st_mode & 0o777 == 0o600


async def test_nothing_is_lost_when_sending_breaks_off(journal: Journal) -> None:
    await asyncio.gather(*(journal.append(line(number)) for number in range(200)))
    receiver = Receiver(left=100)
    with pytest.raises(Unavailable):
        await journal.replay(receiver)
    await journal.append(line(200))
    receiver.left = 1000
    await journal.replay(receiver)
    assert set(receiver.rows) == {bytes(line(number).row) for number in range(201)}


async def test_lines_that_come_while_others_are_sent_are_sent_too(journal: Journal) -> None:
    receiver = Receiver()

    async def slow(waiting: Waiting) -> None:
        if len(receiver.rows) < 20:
            await journal.append(line(100 + len(receiver.rows)))
        await receiver(waiting)

    await journal.append(line(1))
    while journal.waiting:
        await journal.replay(slow)
    assert len(receiver.rows) == 21


async def test_a_long_line_is_read_whole(journal: Journal) -> None:
    await journal.append(line(1, size=3_000_000))
    await journal.append(line(2))
    receiver = Receiver()
    assert await journal.replay(receiver) == 2
    assert receiver.rows[0] == bytes(line(1, size=3_000_000).row)


async def test_an_append_whose_caller_leaves_is_written_all_the_same(
    journal: Journal, tmp_path: Path
) -> None:
    appending = asyncio.create_task(journal.append(line(1)))
    await asyncio.sleep(0)
    appending.cancel()
    await eventually(lambda: (tmp_path / "mine.jsonl").exists() and (tmp_path / "mine.jsonl").stat().st_size)


async def test_the_dead_are_inherited_by_exactly_one(tmp_path: Path) -> None:
    dead = opened(tmp_path, "dead")
    await asyncio.gather(*(dead.append(line(number)) for number in range(100)))
    await dead.close()
    heirs = [opened(tmp_path, f"heir{number}") for number in range(4)]
    receiver = Receiver()
    assert sorted(await asyncio.gather(*(heir.replay(receiver) for heir in heirs))) == [0, 0, 0, 100]
    assert len(receiver.rows) == 100
    assert list(tmp_path.iterdir()) == []
    for heir in heirs:
        await heir.close()


async def test_the_living_are_not_inherited(journal: Journal, tmp_path: Path) -> None:
    living = opened(tmp_path, "living")
    await living.append(line(1))
    receiver = Receiver()
    assert await journal.replay(receiver) == 0
    await living.append(line(2))
    assert await living.replay(receiver) == 2
    await living.close()


async def test_an_inheritance_that_breaks_off_stays_for_the_next(journal: Journal, tmp_path: Path) -> None:
    dead = opened(tmp_path, "dead")
    await asyncio.gather(*(dead.append(line(number)) for number in range(100)))
    await dead.close()
    with pytest.raises(Unavailable):
        await journal.replay(Receiver(left=10))
    receiver = Receiver()
    assert await journal.replay(receiver) == 100


async def test_a_line_that_a_dying_writer_did_not_finish_is_nobodys_row(
    journal: Journal, tmp_path: Path
) -> None:
    dead = opened(tmp_path, "dead")
    await dead.append(line(1))
    await dead.close()
    with (tmp_path / "dead.jsonl").open("ab") as file:
        file.write(b'{"tenant":"acme","ha')
    receiver = Receiver()
    assert await journal.replay(receiver) == 1
    assert list(tmp_path.iterdir()) == []


async def test_a_damaged_line_is_put_aside_and_holds_up_nobody(journal: Journal, tmp_path: Path) -> None:
    dead = opened(tmp_path, "dead")
    for number in range(3):
        await dead.append(line(number))
    await dead.close()
    path = tmp_path / "dead.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":7'))
    receiver = Receiver()
    assert await journal.replay(receiver) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["dead.damaged"]
    assert b'"n":7' in (tmp_path / "dead.damaged").read_bytes()


async def test_a_disk_that_fills_up_in_the_middle_of_a_line_spoils_no_other(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await journal.append(line(1))
    write = os.write

    def full(file: int, data: memoryview) -> int:
        if len(data) > 5:
            return write(file, data[:5])
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(Unavailable):
            await journal.append(line(2))
    await journal.append(line(3))
    receiver = Receiver()
    await journal.replay(receiver)
    assert receiver.rows == [bytes(line(number).row) for number in (1, 3)]


async def test_a_journal_that_is_closed_says_so(tmp_path: Path) -> None:
    journal = opened(tmp_path, "mine")
    await journal.close()
    with pytest.raises(Unavailable):
        await journal.append(line(1))
