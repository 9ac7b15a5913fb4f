"""Arguments that try to be more than a value in the request that is made of them."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from mcp_gateway.transports import OpenApi
from mcp_gateway.upstreams.openapi.document import Unusable, read
from mcp_gateway.upstreams.openapi.operation import Operation
from mcp_gateway.upstreams.openapi.operations import operations
from mcp_gateway.upstreams.openapi.parameters import NotSendable
from mcp_gateway.upstreams.openapi.request import Request, request
from shared.config import Secret

ARRAY, OBJECT = {"type": "array"}, {"type": "object"}


def made(
    path: str, *parameters: dict[str, Any], query: dict[str, Secret] | None = None, **operation: Any
) -> Operation:
    """The one operation of a document; `query` is what the operator sets."""
    described = {"get": {"operationId": "op", "parameters": list(parameters)} | operation}
    root = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {path: described}}
    found = operations(read(msgspec.json.encode(root)), OpenApi(document="x", query=query or {}))
    return found.operations["op"]


def at(place: str, name: str, schema: Any = None, **more: Any) -> dict[str, Any]:
    return {"in": place, "name": name, "schema": schema or {"type": "string"}} | more


def asked(operation: Operation, **arguments: Any) -> Request:
    return request(operation, {name: Raw(msgspec.json.encode(value)) for name, value in arguments.items()})


@pytest.mark.parametrize(
    "value",
    [
        *(
            "..",
            ".",
            "",
            "a/b",
            "/",
            "../admin",
            "..\\admin",
            "a\\b",
            "a;admin=1",
            "a\r\nX: y",
            "a\x00",
            "a\nb",
        ),
        *(["a", "../b"], ["a,b", "c"], {"a": "b/c"}, None, [""]),
    ],
)
def test_a_value_in_the_path_that_could_lead_elsewhere_is_not_sent(value: Any) -> None:
    with pytest.raises(NotSendable, match=r"arguments(\.id)?:"):
        asked(made("/pets/{id}/toys", at("path", "id")), id=value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a?b=c#d", "/pets/a%3Fb%3Dc%23d/toys"),
        ("%2e%2e", "/pets/%252e%252e/toys"),
        ("%2f..%2f", "/pets/%252f..%252f/toys"),
        ("@evil.example:80", "/pets/%40evil.example%3A80/toys"),
        ("{id}", "/pets/%7Bid%7D/toys"),
        ("é 😀", "/pets/%C3%A9%20%F0%9F%98%80/toys"),
        (7, "/pets/7/toys"),
        (True, "/pets/true/toys"),
        (["a", "b"], "/pets/a,b/toys"),
        ({"k": "v"}, "/pets/k,v/toys"),
    ],
)
def test_anything_else_is_one_part_of_the_path(value: Any, path: str) -> None:
    assert asked(made("/pets/{id}/toys", at("path", "id")), id=value).target == path


def test_two_values_do_not_make_a_way_up_together() -> None:
    operation = made("/x/{a}{b}/y", at("path", "a"), at("path", "b"))
    with pytest.raises(NotSendable, match="another path"):
        asked(operation, a=".", b=".")
    assert asked(operation, a="1", b=".").target == "/x/1./y"


@pytest.mark.parametrize(
    "value", ["a\r\nX-Admin: 1", "a\nb", "a\x00", "é", "", " a", "a\x7f", ["a", "b,c"], {"a": "b\r\n"}]
)
def test_a_header_has_no_end_that_an_argument_could_write(value: Any) -> None:
    with pytest.raises(NotSendable, match=r"arguments\.X-Word"):
        asked(made("/x", at("header", "X-Word")), **{"X-Word": value})


@pytest.mark.parametrize(
    ("parameter", "value", "query"),
    [
        (at("query", "q"), "a&admin=1#x", "q=a%26admin%3D1%23x"),
        (at("query", "q&r"), "v", "q%26r=v"),
        (at("query", "q"), "a b+c\r\n", "q=a%20b%2Bc%0D%0A"),
        (at("query", "q", ARRAY), ["a", "b&c"], "q=a&q=b%26c"),
        (at("query", "q", ARRAY, explode=False), ["a", "b"], "q=a,b"),
        (at("query", "q", ARRAY, style="pipeDelimited", explode=False), ["a", "b"], "q=a%7Cb"),
        (at("query", "q", ARRAY, style="spaceDelimited", explode=False), ["a", "b"], "q=a%20b"),
        (at("query", "q", OBJECT), {"a": 1, "b=": "&"}, "a=1&b%3D=%26"),
        (at("query", "q", OBJECT, explode=False), {"a": 1}, "q=a,1"),
        (at("query", "q", OBJECT, style="deepObject"), {"a]": "x"}, "q%5Ba%5D%5D=x"),
        (
            {"in": "query", "name": "q", "content": {"application/json": {}}},
            {"a": [1]},
            "q=%7B%22a%22%3A%5B1%5D%7D",
        ),
    ],
)
def test_a_query_has_the_parameters_it_was_given_and_no_others(
    parameter: dict[str, Any], value: Any, query: str
) -> None:
    operation = made("/x", parameter)
    assert asked(operation, **{operation.parameters[0].argument: value}).target == f"/x?{query}"


@pytest.mark.parametrize(
    ("style", "explode", "value", "path"),
    [
        ("label", False, ["a", "b"], "/x/.a,b"),
        ("label", True, ["a", "b"], "/x/.a.b"),
        ("matrix", False, ["a", "b"], "/x/;id=a,b"),
        ("matrix", True, {"k": "v", "l": "w"}, "/x/;k=v;l=w"),
        ("simple", True, {"k": "v"}, "/x/k=v"),
    ],
)
def test_the_styles_of_paths_are_those_of_the_standard(
    style: str, explode: bool, value: Any, path: str
) -> None:
    operation = made("/x/{id}", at("path", "id", style=style, explode=explode))
    assert asked(operation, id=value).target == path


@pytest.mark.parametrize(
    "name", ["Authorization", "Host", "Content-Length", "X-Forwarded-For", "X-HTTP-Method-Override", "Cookie"]
)
def test_headers_that_are_not_the_callers_are_no_arguments(name: str) -> None:
    assert made("/x", at("header", name)).parameters == ()


def test_arguments_with_one_name_are_told_apart() -> None:
    operation = made("/x/{id}", at("path", "id"), at("query", "id"), at("query", "f[a]"))
    assert [each.argument for each in operation.parameters] == ["path_id", "query_id", "f_a_"]
    with pytest.raises(Unusable, match="one name"):
        made("/x", at("query", "f[a]"), at("query", "f_a_"))


def test_a_body_is_sent_as_it_came_and_as_nothing_else() -> None:
    body: dict[str, Any] = {
        "requestBody": {"content": {"application/json; charset=x\r\nX: y": {"schema": {}}}}
    }
    operation = made("/x", **body)
    sent = request(operation, {"body": Raw(b'{"a": 1.10}')})
    assert (sent.headers, sent.body) == ([("content-type", "application/json")], b'{"a": 1.10}')


@pytest.mark.parametrize("member", ["api_key", "API_Key", "api_key[]", "limit", "limit[x]"])
def test_a_member_of_an_object_is_no_other_parameter_of_the_query(member: str) -> None:
    """An exploded object's members are parameters: a second value might be the one that the API reads."""
    parameters = at("query", "filter", OBJECT), at("query", "limit")
    operation = made("/pets", *parameters, query={"api_key": Secret("ours")})
    assert asked(operation, filter={"colour": "red"}).target == "/pets?colour=red"
    with pytest.raises(NotSendable, match=r"arguments\.filter: has a member"):
        asked(operation, filter={"colour": "red", member: "theirs"})
