"""Members of JSON bodies, changed by pointer: what is meant changes, everything else stays as it was."""

from typing import Any

import msgspec
import pytest

from api_gateway.body_change import BodyChange, BodyRule, NoPlace, problems
from api_gateway.json_members import NotJson, Overgrown, steps_of
from shared.config.build import Resolved


def changed(body: Any, **rule: Any) -> Any:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return msgspec.json.decode(BodyChange(BodyRule(**rule)).apply(raw, strict=False))


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ({"set": {"/plan": "gold"}}, {"a": 1}, {"a": 1, "plan": "gold"}),
        ({"set": {"/plan": "gold"}}, {"plan": "free"}, {"plan": "gold"}),
        ({"set": {"/meta/by/name": "edge"}}, {}, {"meta": {"by": {"name": "edge"}}}),
        ({"set": {"/items/0": None}}, {"items": [1, 2]}, {"items": [None, 2]}),
        (
            {"set": {"/items/*/seen": True}},
            {"items": [{}, 1, {"seen": 0}]},
            {"items": [{"seen": True}, 1, {"seen": True}]},
        ),
        ({"set": {"/0": {"a": [1]}}}, [0], [{"a": [1]}]),
        (
            {"remove": ["/debug", "/user/mail"]},
            {"debug": 1, "user": {"mail": 2, "id": 3}},
            {"user": {"id": 3}},
        ),
        (
            {"remove": ["/items/*/cost", "/items/0"]},
            {"items": [{"cost": 1}, {"cost": 2, "x": 1}]},
            {"items": [{"x": 1}]},
        ),
        ({"remove": ["/items/*"]}, {"items": [1, 2, 3]}, {"items": []}),
        (
            {"remove": ["/a/b/c", "/z", "/a/0", "/l/9", "/l/01", "/l/-"]},
            {"a": 1, "l": [1]},
            {"a": 1, "l": [1]},
        ),
        ({"remove": ["/*"]}, {"*": 1, "a": 2}, {"a": 2}),
        ({"remove": ["/a~1b", "/m~0n", "/x/"]}, {"a/b": 1, "m~n": 2, "x": {"": 1}}, {"x": {}}),
        ({"rename": {"/old": "new"}}, {"old": 1, "new": 2}, {"new": 1}),
        ({"rename": {"/old": "new"}}, {"new": 2}, {"new": 2}),
        ({"rename": {"/users/*/mail": "email"}}, {"users": [{"mail": 1}, {}]}, {"users": [{"email": 1}, {}]}),
        ({"rename": {"/a": "b"}, "remove": ["/b"], "set": {"/a": 2}}, {"a": 1}, {"a": 2}),
    ],
)
def test_what_a_pointer_leads_to_is_changed(rule: dict[str, Any], before: Any, after: Any) -> None:
    assert changed(before, **rule) == after


def test_what_no_pointer_leads_to_keeps_its_very_bytes() -> None:
    body = (
        b'{"n": 1.10, "big": 123456789012345678901234567890, "e": 1e400, "s": "\\u00e9", "x": {"y": [ 1 ]}}'
    )
    made = BodyChange(BodyRule(set={"/x/z": 1})).apply(body, strict=True)
    assert made == (
        b'{"n":1.10,"big":123456789012345678901234567890,"e":1e400,"s":"\\u00e9","x":{"y":[ 1 ],"z":1}}'
    )


def test_a_name_that_is_escaped_or_stands_twice_cannot_hide() -> None:
    body = b'{"pl\\u0061n": "mine", "plan": "also mine"}'
    assert changed(body, set={"/plan": "free"}) == {"plan": "free"}
    assert changed(body, remove=["/plan"]) == {}


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":1,}', b'{"a":1} x', b'{"\xff":1}', b"[" * 100_000])
def test_what_is_no_json_is_not_changed(body: bytes) -> None:
    with pytest.raises(NotJson):
        BodyChange(BodyRule(set={"/a/b": 1})).apply(body, strict=False)


@pytest.mark.parametrize("body", ["text", 1, None, [1], {"a": "text"}, {"a": {"b": 7}}])
def test_what_has_no_place_is_refused_in_requests_and_left_out_of_replies(body: Any) -> None:
    rule = BodyRule(set={"/a/b/c": 1})
    raw = msgspec.json.encode(body)
    with pytest.raises(NoPlace, match="/a/b/c"):
        BodyChange(rule).apply(raw, strict=True)
    assert BodyChange(rule).apply(raw, strict=False) == raw


def test_what_is_set_in_many_items_has_a_bound() -> None:
    change = BodyChange(BodyRule(set={"/*/a": "x" * 1000}, max_bytes=100_000))
    assert len(change.apply(msgspec.json.encode([{}] * 90), strict=True)) > 90_000
    with pytest.raises(Overgrown):
        change.apply(msgspec.json.encode([{}] * 200), strict=True)
    with pytest.raises(Overgrown):
        BodyChange(BodyRule(set={"/*/a/b/c": 1}, max_bytes=1000)).apply(
            b"[" + b"{}," * 300 + b"{}]", strict=True
        )


def test_what_is_looked_through_has_a_bound() -> None:
    body = b"[" + b"{}," * 50_000 + b"{}]"
    assert BodyChange(BodyRule(remove=["/0/a"])).apply(body, strict=True) == body
    with pytest.raises(Overgrown, match="50000"):
        BodyChange(BodyRule(remove=["/*/a"])).apply(body, strict=True)


def test_a_value_from_the_environment_is_a_text() -> None:
    assert changed({}, set={"/key": {"of": Resolved("secret")}}) == {"key": {"of": "secret"}}


def test_what_is_wrong_with_a_rule_is_told_with_its_place() -> None:
    rule = BodyRule(
        set={"plan": 1, "/a~2": 1, "/": 1},
        remove=["", "/x" * 17],
        rename={"/a/b": "c", "/a/d": "c", "/b/d": "c"},
    )
    assert problems("r", rule) == [
        "r.remove: '': a JSON Pointer starts with / and names a member",
        f"r.remove: {'/x' * 17!r} has more than 16 parts",
        "r.set: 'plan': a JSON Pointer starts with / and names a member",
        "r.set: '/a~2': in a JSON Pointer ~ is written ~0, and / in a name ~1",
        "r.set: '/': a JSON Pointer starts with / and names a member",
        "r.rename: two members would get one name",
    ]
    assert problems("r", BodyRule(remove=[f"/{n}" for n in range(65)])) == ["r: more than 64 changes"]
    assert problems("r", None) == []


def test_a_pointer_is_read_as_the_specification_says() -> None:
    assert steps_of("/a~1b/m~0n/~01/0") == ("", "a/b", "m~n", "~1", "0")
    for wrong in ("", "a", "/", "/~", "/~2", "/~~01"):
        with pytest.raises(ValueError, match="JSON Pointer"):
            steps_of(wrong)
