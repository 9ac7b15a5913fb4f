"""Where members stand in a body, and that a doubled one never passes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway import members
from shared.errors import BadRequest

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), _json, max_size=6), st.sampled_from([None, 2]), st.booleans())
def test_every_value_is_found_where_it_stands(
    value: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    body = f" {json.dumps(value, indent=indent, ensure_ascii=ascii_only)}\n".encode()
    found, spans = members.read(body)
    assert list(found) == list(value)
    assert {name: json.loads(body[slice(*spans[name])]) for name in found} == value


@given(st.lists(st.tuples(st.sampled_from("abc"), _json), min_size=1, max_size=5))
def test_a_body_is_refused_exactly_when_a_member_stands_twice(pairs: list[tuple[str, Any]]) -> None:
    body = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    doubled = len({name for name, _ in pairs}) != len(pairs)
    if doubled:
        with pytest.raises(BadRequest, match="twice"):
            members.read(body.encode())
    else:
        members.read(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","model":"a"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"model":1,"n":2,"model":11}',
        b'{"a":{"q":1,"b":2},"a":1,"b":2}',
        b'{"a":1,"a":{"b":2}}',
    ],
)
def test_a_doubled_member_is_refused_however_it_is_written(body: bytes) -> None:
    with pytest.raises(BadRequest, match="stands twice"):
        members.read(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":',
        b"[]",
        b"null",
        b'"x"',
        b'{"a":1}}',
        b"\xff",
        b'{"\xff":1}',
        b'{"a":' + b"[" * 100_000,
    ],
    ids=repr,
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="JSON"):
        members.read(body)


def test_splicing_changes_nothing_but_the_named_bytes() -> None:
    body = b'{ "a" : 1 , "b" : [ 2 ] }'
    _, spans = members.read(body)
    end = spans["b"][1]
    assert (
        members.spliced(body, {spans["a"]: b'"x"', (end, end): b',"c":3'})
        == b'{ "a" : "x" , "b" : [ 2 ],"c":3 }'
    )
