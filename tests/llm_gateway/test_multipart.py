"""Forms: whatever is read is what a provider reads too, and what could be read in two ways is refused."""

import contextlib
from email.parser import BytesParser
from email.policy import HTTP

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.endpoints.forms import count_in, flag_in, model_in
from llm_gateway.multipart import Data, Event, Form, FormReader, Part, read_form
from llm_gateway.multipart_head import Head
from shared.errors import BadRequest

TYPE = "multipart/form-data; boundary=edge"
NAMES = st.from_regex(r"[a-z][a-z0-9_\[\]]{0,15}", fullmatch=True)
PARTS = st.lists(
    st.builds(
        Part,
        st.builds(
            Head,
            NAMES,
            st.none() | st.from_regex(r"[A-Za-z0-9 ._é-]{1,20}", fullmatch=True),
            st.sampled_from(["", "text/plain", "audio/wav"]),
        ),
        st.binary(max_size=60) | st.just(b"\r\n--edge") | st.just(b"\r\n--") | st.just(b""),
    ),
    min_size=1,
    max_size=5,
)


def form(*parts: tuple[str, bytes], end: bytes = b"--edge--\r\n") -> bytes:
    head = [b"--edge\r\nContent-Disposition: form-data; %s\r\n\r\n" % line.encode() for line, _ in parts]
    return b"".join(line + value + b"\r\n" for line, (_, value) in zip(head, parts, strict=True)) + end


def raw(header: bytes) -> bytes:
    return b"--edge\r\n" + header + b"\r\n\r\nvalue\r\n--edge--\r\n"


def events(body: bytes, size: int, content_type: str) -> list[Event]:
    reader = FormReader(content_type)
    found = [event for at in range(0, len(body), size) for event in reader.feed(body[at : at + size])]
    reader.end()
    return found


@given(PARTS)
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_the_same_here_and_elsewhere(parts: list[Part]) -> None:
    content_type, pieces = Form(tuple(parts)).body({})
    body = b"".join(pieces)
    assert read_form(body, content_type.decode()).parts == tuple(parts)
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type + b"\r\n\r\n" + body)
    read = [
        (part.get_param("name", header="content-disposition"), part.get_payload(decode=True))
        for part in message.iter_parts()
    ]
    assert [name for name, _ in read] == [part.head.name for part in parts]


@given(PARTS, st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_it_does_not_matter_how_a_form_is_cut(parts: list[Part], size: int) -> None:
    content_type, pieces = Form(tuple(parts)).body({})
    read: list[tuple[Head, bytes]] = []
    for event in events(b"".join(pieces), size, content_type.decode()):
        if isinstance(event, Data):
            read[-1] = (read[-1][0], read[-1][1] + event.data)
        else:
            read.append((event, b""))
    assert [Part(head, value) for head, value in read] == parts


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_anything_is_a_form_or_a_bad_request(body: bytes) -> None:
    for sent in (body, b"--edge" + body, form(('name="a"', b"1")) + body, b"--edge\r\n" + body):
        with contextlib.suppress(BadRequest):
            read_form(sent, TYPE)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "closing boundary"),
        (b"preamble\r\n" + form(('name="a"', b"1")), "must begin"),
        (form(('name="a"', b"1"), end=b""), "closing boundary"),
        (form(('name="a"', b"1")) + b"more", "follows the end"),
        (form(('name="a"', b"1"), end=b"--edgeX--\r\n"), "line end"),
        (raw(b"Content-Disposition: form-data"), "no name"),
        (raw(b"Content-Disposition: attachment; name=a"), "form-data"),
        (raw(b"Content-Type: text/plain"), "form-data"),
        (raw(b'Content-Disposition: form-data; name="a"; name="b"'), "one way"),
        (raw(b'Content-Disposition: form-data; name="a"; NAME="b"'), "one way"),
        (raw(b'Content-Disposition: form-data; name="a"x'), "one way"),
        (raw(b'Content-Disposition: form-data; name="mo\\del"'), "no name"),
        (raw(b'Content-Disposition: form-data; name="model "'), "no name"),
        (
            raw(b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"'),
            "none",
        ),
        (raw(b'Content-Disposition: form-data;\r\n name="model"'), "none"),
        (raw(b'Content-Disposition: form-data; name="a"\nX: y'), "none"),
        (raw(b'Content-Disposition : form-data; name="a"'), "none"),
        (raw(b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64'), "encoding"),
        (raw(b'Content-Disposition: form-data; name="a"\r\nContent-Type: nonsense'), "content type"),
        (b"--edge\r\n" + b"x" * 9_000, "larger than"),
        (form(*[('name="a"', b"1")] * 257), "more than 256 parts"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        read_form(body, TYPE)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=edge",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b",
        'multipart/form-data; boundary="a b "',
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data, multipart/form-data; boundary=edge",
    ],
)
def test_a_content_type_without_one_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(BadRequest):
        read_form(form(('name="a"', b"1")), content_type)


def test_a_field_is_replaced_where_it_stands_and_added_where_it_does_not() -> None:
    given = read_form(form(('name="model"', b"fast"), ('name="file"; filename="a.wav"', b"\0\1")), TYPE)
    content_type, pieces = given.body({"model": "real", "extra": "1"})
    read = read_form(b"".join(pieces), content_type.decode())
    assert [(part.head.name, part.head.filename, part.value) for part in read.parts] == [
        ("model", None, b"real"),
        ("file", "a.wav", b"\0\1"),
        ("extra", None, b"1"),
    ]


def test_a_filename_in_another_alphabet_survives() -> None:
    given = read_form(form(("name=file; filename*=utf-8''%E2%82%AC%22.wav", b"1")), TYPE)
    assert given.parts[0].head.filename == "__.wav"
    given = read_form(form(('name="file"; filename="€ \\" é.wav"', b"1")), TYPE)
    assert given.parts[0].head.filename == '€ \\" é.wav'


@pytest.mark.parametrize(
    "parts",
    [
        [('name="model"', b"fast"), ('name="model"', b"deep")],
        [('name="model"', b"fast"), ('name="Model"', b"deep")],
        [('name="model"', b"fast"), ('name="model[]"', b"deep")],
        [('name="model"; filename="x"', b"fast")],
        [('name="model"', b"\xff\xfe")],
        [('name="model"', b"")],
        [('name="model"', b"x" * 257)],
        [('name="other"', b"fast")],
    ],
)
def test_there_is_one_model_or_none(parts: list[tuple[str, bytes]]) -> None:
    with pytest.raises(BadRequest):
        model_in(read_form(form(*parts), TYPE))


@pytest.mark.parametrize("value", [b"0", b"-1", b"1.5", b"9999", b"99999999999999999999", "²".encode()])
def test_a_number_is_a_small_number(value: bytes) -> None:
    with pytest.raises(BadRequest):
        count_in(read_form(form(('name="n"', value)), TYPE), "n")


def test_a_flag_is_true_or_false() -> None:
    assert flag_in(read_form(form(('name="stream"', b"True")), TYPE), "stream")
    assert not flag_in(read_form(form(('name="other"', b"True")), TYPE), "stream")
    with pytest.raises(BadRequest, match="true or false"):
        flag_in(read_form(form(('name="stream"', b"maybe")), TYPE), "stream")
