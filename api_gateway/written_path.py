"""The path of a request as its client wrote it."""

from shared.asgi import Exchange


def written_path(exchange: Exchange) -> str:
    """With its escapes, without the query."""
    raw: bytes = exchange.scope.get("raw_path") or exchange.path.encode()
    return raw.decode("latin-1").partition("?")[0]
