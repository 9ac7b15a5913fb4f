"""Paths lead where they say, and those that could be read in two ways lead nowhere."""

from typing import Any

import pytest

from api_gateway.balance.settings import Balance
from api_gateway.config import Section, problems
from api_gateway.gateways import Gateways
from api_gateway.http_route import Canary, HttpRoute
from api_gateway.routes import Route, RouteTable
from shared.config import Secret
from shared.errors import BadRequest, MethodNotAllowed, NotFound
from tests.support.exchange import exchange


class Pages:
    def match(self, method: str, path: str) -> Route:
        return Route(name="admin", resource="admin:keys", action=method)


SECTION = Section(
    gateways=Gateways(llm_gateway=["http://a/", "http://b"]),
    routes=[HttpRoute(name="crm", prefix="/crm", urls=["http://crm"], methods=["get"], strip_prefix=True)],
)
TABLE = RouteTable(SECTION, Pages())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completions", "llm"),
        ("/mcp", "mcp"),
        ("/servers/git/mcp", "mcp"),
        ("/agents/planner", "agents"),
        ("/admin/api/keys", "admin"),
    ],
)
def test_a_path_belongs_to_its_gateway(path: str, name: str) -> None:
    assert TABLE.match(exchange(path)).name == name


def test_a_gateway_has_all_of_its_addresses() -> None:
    upstream = TABLE.match(exchange("/v1/models")).upstream
    assert upstream is not None
    assert [replica.url for replica in upstream.pool.members] == ["http://a", "http://b"]
    assert upstream.pool.inner
    assert upstream.pool.only is None


def test_a_single_address_has_nothing_to_choose() -> None:
    upstream = TABLE.match(exchange("/mcp")).upstream
    assert upstream is not None
    assert upstream.pool.only == "http://127.0.0.1:8082"


def _shop(**fields: Any) -> HttpRoute:
    return HttpRoute(prefix="/shop", urls=["http://shop"], **fields)


SHOP = RouteTable(
    Section(
        routes=[
            _shop(name="any"),
            _shop(name="reads", methods=["GET"]),
            _shop(name="beta", match_headers={"X-Version": "2"}),
            _shop(name="marked", match_headers={"x-mark": "*"}),
            _shop(name="europe", hosts=["eu.example.com"]),
            _shop(name="below", hosts=["*.example.org"]),
            HttpRoute(name="cart", prefix="/shop/cart", urls=["http://cart"], hosts=["cart.example.com"]),
        ]
    ),
    Pages(),
)


@pytest.mark.parametrize(
    ("path", "method", "headers", "name"),
    [
        ("/shop/x", "POST", {}, "any"),
        ("/shop/x", "GET", {}, "reads"),
        ("/shop/x", "GET", {"x-version": "2"}, "beta"),
        ("/shop/x", "POST", {"x-version": "3"}, "any"),
        ("/shop/x", "POST", {"x-mark": "whatever"}, "marked"),
        ("/shop/x", "POST", {"host": "EU.example.com:8080"}, "europe"),
        ("/shop/x", "POST", {"host": "eu.example.com."}, "europe"),
        ("/shop/x", "POST", {"host": "a.b.example.org"}, "below"),
        ("/shop/x", "POST", {"host": "example.org"}, "any"),
        ("/shop/x", "POST", {"host": "evil-example.org"}, "any"),
        ("/shop/cart/1", "POST", {"host": "cart.example.com"}, "cart"),
        ("/shop/cart/1", "POST", {"host": "other"}, "any"),
    ],
)
def test_the_narrowest_route_that_fits_is_taken(
    path: str, method: str, headers: dict[str, str], name: str
) -> None:
    assert SHOP.match(exchange(path, method=method, headers=headers)).name == name


def test_a_doubled_host_is_refused_where_the_host_decides() -> None:
    one = exchange("/shop/x")
    one.headers = [*one.headers, (b"host", b"eu.example.com"), (b"host", b"other")]
    with pytest.raises(BadRequest, match="host"):
        SHOP.match(one)


def test_a_configured_route_takes_only_its_methods() -> None:
    assert TABLE.match(exchange("/crm/x", method="GET")).resource == "route:crm"
    with pytest.raises(MethodNotAllowed, match="GET"):
        TABLE.match(exchange("/crm/x", method="DELETE"))


@pytest.mark.parametrize("path", ["/", "/v1x", "/mcpx", "/nothing", "/crmx"])
def test_unknown_paths_are_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        TABLE.match(exchange(path))


@pytest.mark.parametrize(
    "raw",
    [
        "/agents/../admin",
        "/agents/%2e%2e/x",
        "/agents//x",
        "/agents/a%2fb",
        "/agents/a%5cb",
        "/v1/%00",
        "/v1/..",
        "/v1\\x",
        "/crm/admin#",
        "/crm/x/..;/admin",
    ],
)
def test_paths_that_two_readers_could_resolve_differently_are_refused(raw: str) -> None:
    with pytest.raises(BadRequest):
        TABLE.match(exchange(raw, raw_path=raw.encode()))


def test_a_path_that_was_escaped_twice_is_refused() -> None:
    with pytest.raises(BadRequest):
        TABLE.match(exchange("/crm/%2E%2E/admin", raw_path=b"/crm/%252E%252E/admin"))


def test_an_escaped_hash_is_part_of_a_name() -> None:
    assert TABLE.match(exchange("/crm/a#b", method="GET", raw_path=b"/crm/a%23b")).name == "crm"


def test_a_bad_section_tells_all_its_problems() -> None:
    section = Section(
        bind="nowhere",
        gateways=Gateways(mcp_gateway=[], agent_gateway=["ftp://x"]),
        routes=[
            HttpRoute(name="llm", prefix="/x", urls=["http://x"]),
            HttpRoute(name="Bad Name", prefix="x", urls=["x"]),
            HttpRoute(name="steal", prefix="/v1/chat", urls=["http://x"]),
            HttpRoute(name="shelf", prefix="/registry/v0.1", urls=["http://x"]),
            _shop(
                name="told",
                methods=["GET"],
                headers={"content-length": Secret("1"), "x y": Secret("1"), "x-key": Secret("a\nb")},
            ),
            _shop(name="one", hosts=["a.example"], balance=Balance(weights={"http://other": 2})),
            _shop(name="two", hosts=["A.example"]),
            _shop(
                name="three",
                hosts=["a:80"],
                canaries=[Canary(name="c", urls=["dns:ftp://x"], percent=60)] * 2,
            ),
        ],
    )
    found = "\n".join(problems(section))
    for expected in (
        "routes[0].name: 'llm' is taken",
        "routes[1].name",
        "routes[1].prefix",
        "routes[1].urls[0]",
        "routes[2].prefix: '/v1/chat' overlaps",
        "routes[3].prefix: '/registry/v0.1' overlaps",
        "routes[4].headers: 'content-length' is no header name, or frames",
        "routes[4].headers: 'x y' is no header name",
        "routes[4].headers.x-key: this is no header value",
        "routes[5].balance.weights: 'http://other'",
        "routes[6]: matches the same requests as routes[5]",
        "routes[7].hosts[0]: 'a:80'",
        "routes[7].canaries[0].urls[0]",
        "routes[7].canaries: together",
        "gateways.mcp_gateway: needs",
        "gateways.agent_gateway[0]",
        "bind:",
    ):
        assert expected in found
