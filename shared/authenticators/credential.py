"""Where callers put their credentials: the headers of the OpenAI, Anthropic, Gemini and Azure clients."""

from typing import Literal

from shared.asgi import Exchange

# What a service may be told to accept.
Kind = Literal["identity", "key", "delegation", "oidc"]
# Any may hold a key or a delegation token: an agent sends the token it was handed as its API key.
KEY_PLACES = frozenset((b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"))
_BEARER = "bearer "

# The different credentials of a request, each with the headers it stands in.
Shown = dict[str, set[bytes]]


def presented(exchange: Exchange, places: frozenset[bytes]) -> Shown:
    """What stands in these headers."""
    found: Shown = {}
    for name, value in exchange.headers:
        if name in places:
            text = value.decode("latin-1").strip()
            if name == b"authorization" and text[: len(_BEARER)].lower() == _BEARER:
                text = text[len(_BEARER) :].strip()
            if text:
                found.setdefault(text, set()).add(name)
    return found
