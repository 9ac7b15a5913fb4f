"""JSON requests of endpoints: their members read one by one, and their model respelled in the bytes that
they are.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from llm_gateway import members
from llm_gateway.ask import Span
from llm_gateway.fields import member
from shared.errors import BadRequest

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Count = Annotated[int, Meta(ge=1, le=1024)] | None
NAME, TEXT, FLAG, COUNT = (msgspec.json.Decoder(kind) for kind in (Name, str, bool | None, Count))
ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_BYTES_PER_TOKEN = 4
# Texts to be embedded may come as tokens: each of them is a value.
_MOST_VALUES = 400_000


class Members(Struct, frozen=True):
    """A request's top-level members."""

    body: bytes
    found: dict[str, Raw]
    spans: dict[str, Span]

    def get(self, name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
        """A member's value, None where it is absent. Raises BadRequest naming it where it has the wrong
        type.
        """
        return member(self.found, name, decoder)

    def need(self, name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
        if name not in self.found:
            raise BadRequest(f"you must provide a {name} parameter", data={"param": name})
        return self.get(name, decoder)

    def size(self, name: str) -> int:
        return len(memoryview(self.found[name])) if name in self.found else 0


def read_members(body: bytes) -> Members:
    """Raises BadRequest on what is no JSON object, and on members that two readers could take for two
    things.
    """
    found, spans = members.read(body, _MOST_VALUES)
    for name in found:
        if name != "model" and name.casefold() == "model":
            # Some decoders find a member under its name in any case.
            raise BadRequest(f"{name!r} could be read as model: write it in lower case", data={"param": name})
    return Members(body, found, spans)


def respelled(body: bytes, spans: dict[str, Span], model: str) -> bytes:
    """`body` with `model` as its model, which is added where the caller named none."""
    value = msgspec.json.encode(model)
    if "model" in spans:
        return members.spliced(body, {spans["model"]: value})
    start = body.index(b"{") + 1
    return members.spliced(body, {(start, start): b'"model":' + value + (b"," if spans else b"")})


def tokens_of(texts: tuple[str, ...]) -> int:
    return sum(len(text.encode(errors="replace")) for text in texts) // _BYTES_PER_TOKEN
