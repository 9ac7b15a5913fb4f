"""A client's request as far as every call needs it: the cheap look that `request.py` is not."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from llm_gateway import members
from llm_gateway.ask import Ask
from llm_gateway.formats.anthropic.estimate import tokens_in
from shared.errors import BadRequest

_ABSENT = Raw(b"null")

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_NAME, _FLAG, _TOKENS = (msgspec.json.Decoder(kind) for kind in (Name, bool | None, Tokens))


def read_ask(body: bytes, *, counting: bool = False) -> Ask:
    """`counting`: nothing is to be generated, so nobody has to say how much. Raises BadRequest."""
    found, spans = members.read(body)
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if name not in found:
            raise BadRequest(f"{name}: field required", data={"param": name})
    if not bytes(found["messages"]).startswith(b"["):
        raise BadRequest("messages: must be a list of messages", data={"param": "messages"})
    return Ask(
        model=_member(found, "model", _NAME),
        stream=_member(found, "stream", _FLAG) or False,
        body=body,
        spans=spans,
        tokens_in=tokens_in(found),
        tokens_out=0 if counting else _member(found, "max_tokens", _TOKENS),
        wants_usage=True,
    )


def _member(found: dict[str, Raw], name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
    raw = found.get(name)
    if raw is None:
        return None
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError) as error:
        what = str(error)[:200].replace(" - at `$`", "")
        raise BadRequest(
            f"{name}: {what[:1].lower()}{what[1:]}", cause=error, data={"param": name}
        ) from error
