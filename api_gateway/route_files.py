"""What only the whole configuration shows: the files that routes need, found from its folder (for TLS, and
OpenAPI documents), and whether a region is one.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from api_gateway import upstream_tls
from api_gateway.balance.upstream import contract_of
from api_gateway.config import Section
from api_gateway.http_route import HttpRoute
from api_gateway.regions.settings import problems as region_problems
from shared.config import Loaded


def found(section: Section, path: Callable[[str], Path]) -> Section:
    """The section with whole paths."""

    def whole(route: HttpRoute) -> HttpRoute:
        rule = route.openapi
        return route if rule is None else replace(route, openapi=replace(rule, file=str(path(rule.file))))

    section = upstream_tls.found(section, path)
    return replace(section, routes=[whole(route) for route in section.routes])


def file_problems(loaded: Loaded[Section]) -> list[str]:
    """What is wrong with them, as `path: problem`."""
    wrong = [
        *upstream_tls.file_problems(loaded),
        *region_problems(loaded.section.region, loaded.shared.control),
    ]
    for place, route in enumerate(found(loaded.section, loaded.path).routes):
        try:
            contract_of(route.openapi)
        except ValueError as error:
            wrong.append(f"routes[{place}].openapi.file: {error}")
    return wrong
