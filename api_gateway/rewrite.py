"""Stage: the path that the service is asked for instead of the one the client sent; the query stays as it
is. From here on there is only this one: policy, approvals, validation and the service see the same.
"""

from urllib.parse import unquote

from api_gateway.path_templates import Paths
from api_gateway.routes import refuse_ambiguous
from api_gateway.written_path import written_path
from shared.asgi import Exchange


def rewrite(exchange: Exchange, paths: Paths | None) -> None:
    """Raises BadRequest where what comes out could be read in two ways."""
    if paths is None:
        return
    path = paths.of(written_path(exchange))
    if path is not None:
        exchange.path = unquote(path)
        exchange.scope = {**exchange.scope, "path": exchange.path, "raw_path": path.encode("latin-1")}
        refuse_ambiguous(exchange)
