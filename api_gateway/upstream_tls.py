"""The files that calls to services behind the edge need for TLS, found from the configuration's folder."""

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from api_gateway.config import Section
from shared.config import Loaded
from shared.tls_trust import problems, resolved


def found(section: Section, path: Callable[[str], Path]) -> Section:
    """The section with whole paths."""
    routes = [replace(route, tls=resolved(route.tls, path)) for route in section.routes]
    gateways = replace(section.gateways, tls=resolved(section.gateways.tls, path))
    return replace(section, routes=routes, gateways=gateways)


def file_problems(loaded: Loaded[Section]) -> list[str]:
    """What is wrong with those files, as `path: problem`."""
    section = found(loaded.section, loaded.path)
    wrong = problems("gateways.tls", section.gateways.tls)
    for place, route in enumerate(section.routes):
        wrong += problems(f"routes[{place}].tls", route.tls)
    return wrong
