"""Paths and headers that are written anew: policy sees what is sent, and nobody gets another name by it."""

from pathlib import Path
from typing import Any

import pytest

from api_gateway.config import Section, problems
from api_gateway.header_change import HeaderChange, HeaderRule
from api_gateway.http_route import HttpRoute
from api_gateway.path_templates import PathRule, Paths
from shared.policy import Rule
from tests.api_gateway.fronted import fronted
from tests.api_gateway.scripted import Script, allow
from tests.support.serve import serving


@pytest.mark.parametrize(
    ("path", "becomes"),
    [
        ("/shop", "/v2/"),
        ("/shop/a/b%2Cc", "/v2/a/b%2Cc"),
        ("/shop/users/7/orders/8", "/orders/8/of/7"),
        ("/shop/users/7/orders/", "/v2/users/7/orders/"),
        ("/shop/fixed", "/elsewhere"),
        ("/other", None),
    ],
)
def test_the_first_template_that_fits_says_the_path(path: str, becomes: str | None) -> None:
    rules = (
        ("/shop/users/{user}/orders/{order}", "/orders/{order}/of/{user}"),
        ("/shop/fixed", "/elsewhere"),
        ("/shop/{rest*}", "/v2/{rest*}"),
    )
    assert Paths([PathRule(match=match, to=to) for match, to in rules]).of(path) == becomes


async def test_policy_sees_the_path_that_is_sent(tmp_path: Path) -> None:
    script = Script()
    rules = [
        {"match": "/r0/hidden/{rest*}", "to": "/admin/{rest*}"},
        {"match": "/r0/bad/{rest*}", "to": "/a/{rest}/b"},
        {"match": "/r0/{rest*}", "to": "/open/{rest*}"},
    ]
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], "rewrite": rules}) as front:
        everything = Rule(id="all", sub="user:alice", dom="acme", obj="route:*", act="*")
        denied = Rule(
            id="no-admin", sub="*", dom="*", obj="route:r0", act="*", cond='path == "/admin/x"', eft="deny"
        )
        await allow(front, everything, denied)
        assert (await front.ask("/r0/hidden/x")).status == 403
        assert (await front.ask("/r0/hidden/%78")).status == 403
        assert not script.asked
        assert (await front.ask("/r0/items/%C3%A4?a=%2F")).status == 200
        assert (script.asked[0].path, script.asked[0].query) == ("/open/items/%C3%A4", "a=%2F")
        assert (await front.ask("/r0/bad")).status == 400, "an empty rest would make a double slash"
        for path in ("/r0/hidden/%2e%2e/x", "/r0/hidden/..;/x", "/r0/hidden%2fx", "/r0//x"):
            assert (await front.ask(path)).status == 400
        assert len(script.asked) == 1


async def test_headers_are_renamed_removed_and_set_both_ways(tmp_path: Path) -> None:
    script = Script()
    route = {
        "request_headers": {
            "rename": {"X-Old": "X-New"},
            "remove": ["x-secret-debug"],
            "set": {"x-plan": "gold", "accept": "application/json"},
        },
        "reply_headers": {
            "rename": {"x-inner": "x-outer"},
            "remove": ["x-powered-by"],
            "set": {"cache-control": "no-store"},
        },
    }
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], **route}) as front:
        script.headers = [
            ("x-inner", "1"),
            ("x-outer", "2"),
            ("x-powered-by", "us"),
            ("cache-control", "public"),
        ]
        sent = {
            "x_old": "1",
            "x_new": "faked",
            "x_secret_debug": "1",
            "x_plan": "free",
            "accept": "text/html",
        }
        answer = await front.ask("/r0/a", **sent)
        [asked] = script.asked
        assert asked.all("x-new") == ["1"]
        assert asked.all("x-plan") == ["gold"]
        assert asked.all("accept") == ["application/json"]
        assert not asked.all("x-old") + asked.all("x-secret-debug")
        assert asked.all("txn-token")
        assert (answer.headers["x-outer"], answer.headers["cache-control"]) == ("1", "no-store")
        assert not {"x-inner", "x-powered-by"} & answer.headers.keys()


def test_a_name_with_underscores_is_the_same_name() -> None:
    change = HeaderChange(HeaderRule(rename={"x-old": "x-new"}, remove=["x-debug"], set={"x-plan": "gold"}))
    sent = [
        (b"x_plan", b"free"),
        (b"x_debug", b"1"),
        (b"x_new", b"faked"),
        (b"x-old", b"1"),
        (b"x_other", b"2"),
    ]
    assert change.apply(sent) == [(b"x-new", b"1"), (b"x_other", b"2"), (b"x-plan", b"gold")]


async def test_a_credential_cannot_be_carried_on_under_another_name(tmp_path: Path) -> None:
    script = Script()
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], "request_headers": {}}) as front:
        await front.ask("/r0/a", x_gatestack_user="user:root", x_forwarded_user="user:root", txn_token="x")
        told = {name for name, _ in script.asked[0].headers}
        assert not told & {b"authorization", b"x-gatestack-user", b"x-forwarded-user"}
        assert script.asked[0].all("txn-token") != ["x"]


@pytest.mark.parametrize(
    "name",
    [
        *("Txn-Token", "txn_token", "X-Forwarded-For", "x_user_id", "authorization", "cookie", "forwarded"),
        *(
            "transfer-encoding",
            "Content-Length",
            "host",
            "connection",
            "x-gatestack-call",
            "traceparent",
            "a b",
            "",
        ),
    ],
)
def test_no_rule_writes_who_somebody_is_or_frames_a_message(name: str) -> None:
    for rule in (
        HeaderRule(set={name: "x"}),
        HeaderRule(remove=[name]),
        HeaderRule(rename={"x-a": name}),
        HeaderRule(rename={name: "x-a"}),
    ):
        for field in ("request_headers", "reply_headers"):
            assert _problems(**{field: rule}), (field, rule)


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\x00", " a", "€"])
def test_no_value_ends_its_header(value: str) -> None:
    assert _problems(request_headers=HeaderRule(set={"x-a": value}))


@pytest.mark.parametrize(
    ("match", "to"),
    [
        ("shop", "/a"),
        ("/shop/{a}", "/{b}"),
        ("/shop/{a}/{a}", "/{a}"),
        ("/shop/{a*}/b", "/{a}"),
        ("/shop/{a}b", "/c"),
        ("/shop//a", "/c"),
        ("/shop/..", "/c"),
        ("/shop/a", "/c?d=e"),
        ("/shop/a", "/c#d"),
        ("/shop/a", "/%2fc"),
        ("/shop/a", "/c;d"),
    ],
)
def test_a_template_that_could_be_read_in_two_ways_is_a_problem(match: str, to: str) -> None:
    assert _problems(rewrite=[PathRule(match=match, to=to)])


def test_whole_paths_and_a_stripped_prefix_do_not_go_together() -> None:
    rule = PathRule(match="/r/{rest*}", to="/{rest*}")
    assert not _problems(rewrite=[rule])
    assert _problems(rewrite=[rule], strip_prefix=True)


def _problems(**route: Any) -> list[str]:
    return problems(Section(routes=[HttpRoute(name="r", prefix="/r", urls=["http://a"], **route)]))
