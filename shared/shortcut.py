"""To an endpoint without Starlette's way there, which tries one route after another and wraps every message:
most requests of a service come to one endpoint, which looks at methods and renders failures by itself.
"""

from re import Pattern

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from shared.asgi import Receive, Scope, Send

_CATCH_ALL = "/{path:path}"


class Shortcut:
    """ASGI before a complete `router`: its catch-all and its plain paths are found here, in the same order,
    and what needs anything else of it goes to `otherwise`. Raises ValueError for a route it cannot place.
    """

    def __init__(self, router: Router, otherwise: ASGIApp) -> None:
        self._otherwise = otherwise
        self._catch_all = otherwise
        self._routes: dict[str, list[tuple[Pattern[str], ASGIApp]]] = {}
        for route in router.routes:
            if not isinstance(route, Route):
                continue
            if route.path == _CATCH_ALL:
                self._catch_all = route.app
                break
            if "{" in _first(route.path):
                raise ValueError(f"{route.path}: a route here begins with a plain segment")
            # In ASGI's own form an endpoint takes every method, and nobody but a router finds parameters.
            plain = route.methods is None and not route.param_convertors
            found = self._routes.setdefault(_first(route.path), [])
            found.append((route.path_regex, route.app if plain else otherwise))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._find(scope)(scope, receive, send)

    def _find(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http":
            return self._otherwise
        path: str = scope["path"]
        for pattern, app in self._routes.get(_first(path), ()):
            if pattern.match(path):
                return app
        # A line break is in no pattern.
        return self._otherwise if "\n" in path or path[:1] != "/" else self._catch_all


def _first(path: str) -> str:
    """The first segment."""
    return path[1:].partition("/")[0]
