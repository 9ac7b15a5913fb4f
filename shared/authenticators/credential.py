"""Where callers put their credentials: the headers of the OpenAI, Anthropic, Gemini and Azure clients."""

from typing import Literal

from shared.asgi import Exchange

# What a service may be told to accept.
Kind = Literal["identity", "key", "delegation", "oidc"]
# Any may hold a key or a delegation token: an agent sends the token it was handed as its API key.
KEY_PLACES = frozenset((b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"))
_BEARER = "bearer "


def presented(exchange: Exchange, places: frozenset[bytes]) -> set[str]:
    """The different credentials in these headers; one that stands in two of them counts once."""
    found = set()
    for name, value in exchange.headers:
        if name in places:
            text = value.decode("latin-1").strip()
            if name == b"authorization" and text[: len(_BEARER)].lower() == _BEARER:
                text = text[len(_BEARER) :].strip()
            found.add(text)
    found.discard("")
    return found


def only(exchange: Exchange, places: frozenset[bytes]) -> str:
    """The one credential in these headers, "" where there is none or more than one."""
    found = presented(exchange, places)
    return found.pop() if len(found) == 1 else ""
