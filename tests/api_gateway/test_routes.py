"""Paths lead where they say, and those that could be read in two ways lead nowhere."""

import pytest

from api_gateway.config import Gateways, HttpRoute, Section, problems
from api_gateway.routes import Route, RouteTable
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


def test_addresses_take_turns() -> None:
    upstream = TABLE.match(exchange("/v1/models")).upstream
    assert upstream is not None
    assert [next(upstream.turns) for _ in range(3)] == ["http://a", "http://b", "http://a"]


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
        ],
    )
    found = "\n".join(problems(section))
    for expected in (
        "routes[0].name: 'llm' is taken",
        "routes[1].name",
        "routes[1].prefix",
        "routes[1].urls[0]",
        "routes[2].prefix: '/v1/chat' overlaps",
        "gateways.mcp_gateway: needs",
        "gateways.agent_gateway[0]",
        "bind:",
    ):
        assert expected in found
