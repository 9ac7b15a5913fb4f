"""A client's request as far as every call needs it: the cheap look that `request.py` is not."""

from typing import Annotated

import msgspec
from msgspec import Meta

from llm_gateway import members
from llm_gateway.ask import Ask
from llm_gateway.fields import FLAG, NAME, member
from llm_gateway.guess import tokens_in
from shared.errors import BadRequest

_CONTENT = ("system", "messages", "tools")
# This dialect insists on it: null is no number of tokens.
_TOKENS = msgspec.json.Decoder(Annotated[int, Meta(ge=0, le=2**31 - 1)])


def read_ask(body: bytes, *, counting: bool = False) -> Ask:
    """`counting`: nothing is to be generated, so nobody has to say how much. Raises BadRequest."""
    found, spans = members.read(body)
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if name not in found:
            raise BadRequest(f"{name}: field required", data={"param": name})
    if not bytes(found["messages"]).startswith(b"["):
        raise BadRequest("messages: must be a list of messages", data={"param": "messages"})
    return Ask(
        model=member(found, "model", NAME),
        stream=member(found, "stream", FLAG) or False,
        body=body,
        spans=spans,
        tokens_in=sum(tokens_in(bytes(found[name])) for name in _CONTENT if name in found),
        tokens_out=0 if counting else member(found, "max_tokens", _TOKENS),
        wants_usage=True,
    )
