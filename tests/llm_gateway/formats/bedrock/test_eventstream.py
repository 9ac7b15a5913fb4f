"""The binary frames: whole at every cut, and never believed when damaged."""

import random
import struct
import zlib

import pytest

from llm_gateway.formats.bedrock.eventstream import Message, Parser
from shared.errors import UpstreamBroken
from tests.support.bedrock_provider import event, frame, text_events

# The examples that AWS's own implementations are tested with.
EMPTY = bytes.fromhex("000000100000000005c248eb7d98c8ff")
PAYLOAD = b"{'foo':'bar'}"
INT32_HEADER = bytes.fromhex(
    "0000002d0000001041c424b80a6576656e742d74797065040000a00c7b27666f6f273a27626172277d36f480a0"
)


def parsed(data: bytes, size: int = 1 << 20) -> list[Message]:
    parser = Parser()
    return [message for at in range(0, len(data), size) for message in parser.feed(data[at : at + size])]


def test_a_message_without_anything_in_it() -> None:
    assert parsed(EMPTY) == [Message({}, b"")]


def test_headers_that_are_no_texts_are_passed_over() -> None:
    assert parsed(INT32_HEADER) == [Message({}, PAYLOAD)]


def test_every_type_of_header_is_known_by_its_length() -> None:
    values = [b"\x00", b"\x01", b"\x02\x07", b"\x03\x00\x07", b"\x04" + bytes(4), b"\x05" + bytes(8)]
    values += [b"\x06\x00\x02ab", b"\x07\x00\x02cd", b"\x08" + bytes(8), b"\x09" + bytes(16)]
    headers = b"".join(b"\x01" + str(place).encode() + value for place, value in enumerate(values))
    prelude = struct.pack(">II", 16 + len(headers), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers
    assert parsed(message + struct.pack(">I", zlib.crc32(message))) == [Message({"7": "cd"}, b"")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 1000])
def test_messages_are_whole_however_they_are_cut(size: int) -> None:
    sent = text_events(["Hel", "lo ", "there"])
    found = parsed(b"".join(sent), size)
    assert found == [parsed(each)[0] for each in sent]


@pytest.mark.parametrize("at", range(len(INT32_HEADER)))
def test_one_wrong_bit_anywhere_is_noticed(at: int) -> None:
    damaged = bytearray(INT32_HEADER)
    damaged[at] ^= 1
    with pytest.raises(UpstreamBroken, match="damaged"):
        parsed(bytes(damaged))


def framed(headers: bytes, *, total: int | None = None, length: int | None = None) -> bytes:
    """A message with right sums, whatever its lengths and headers say."""
    size = 16 + len(headers)
    prelude = struct.pack(">II", size if total is None else total, len(headers) if length is None else length)
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers
    return message + struct.pack(">I", zlib.crc32(message))


@pytest.mark.parametrize(
    "data",
    [
        framed(b"", total=15),
        framed(b"", total=0),
        framed(b"", total=2**31),
        framed(b"", length=1),
        framed(b"\x05abc"),
        framed(b"\x01a\x07\x00\x09x"),
        framed(b"\x01a\x0b"),
        framed(b"\x01a\x07\x00\x01\xff"),
        framed(b"\x01a"),
        framed(b"\x01a\x07\x00"),
    ],
    ids=repr,
)
def test_lengths_and_headers_that_cannot_be_are_refused(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        parsed(data)


def test_noise_never_does_more_than_break_the_stream() -> None:
    chance = random.Random(7)
    whole = b"".join(text_events(["Hel", "lo"]))
    for _ in range(300):
        noisy = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            noisy[chance.randrange(len(noisy))] = chance.randrange(256)
        try:
            assert parsed(bytes(noisy), chance.randint(1, 64)) == parsed(whole) or noisy == whole
        except UpstreamBroken:
            continue


def test_it_knows_when_a_message_is_begun() -> None:
    parser = Parser()
    data = event("metadata", {})
    parser.feed(data[:5])
    assert not parser.between
    parser.feed(data[5:])
    assert parser.between


def test_a_large_message_in_small_pieces() -> None:
    payload = b"x" * 300_000
    assert parsed(frame({":event-type": "a"}, payload), 1_400) == [Message({":event-type": "a"}, payload)]
