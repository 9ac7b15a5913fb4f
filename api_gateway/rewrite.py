"""Stage: the path that the service is asked for instead of the one the client sent. From here on there is
only this one: policy, approvals, validation and the service see the same.
"""

from urllib.parse import unquote

from api_gateway.path_templates import Paths
from api_gateway.routes import refuse_ambiguous
from shared.asgi import Exchange


def rewrite(exchange: Exchange, paths: Paths | None) -> None:
    """Raises BadRequest where what comes out could be read in two ways."""
    if paths is None:
        return
    raw: bytes = exchange.scope.get("raw_path") or exchange.path.encode()
    # What follows a question mark is the query, which stays as it is.
    path = paths.of(raw.decode("latin-1").partition("?")[0])
    if path is not None:
        exchange.path = unquote(path)
        exchange.scope = {**exchange.scope, "path": exchange.path, "raw_path": path.encode("latin-1")}
        refuse_ambiguous(exchange)
