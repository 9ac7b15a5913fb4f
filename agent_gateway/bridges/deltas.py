"""The words of a chat completion as they come, streamed or whole; nothing that an endpoint sends is believed
to end, or to be what it should.
"""

from collections.abc import AsyncGenerator

import msgspec
from msgspec import Struct

from shared import sse
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.http_client import Reply

_DONE = b"[DONE]"
_NONE = "the chat endpoint answered with something that is no chat completion"
# What surrounds each word in a stream is many times as long as the word.
_ENVELOPES = 64


class _Piece(Struct):
    content: str | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        return self.content or self.refusal or ""


class _Choice(Struct):
    delta: _Piece | None = None
    message: _Piece | None = None
    finish_reason: str | None = None


class _Completion(Struct):
    """A whole one, or a chunk of one. `error` stands alone."""

    choices: list[_Choice] | None = None
    error: object = None


_COMPLETION = msgspec.json.Decoder(_Completion)


async def deltas(reply: Reply, *, cap: int) -> AsyncGenerator[str, None]:
    """Raises UpstreamBroken for garbage, for more than `cap` bytes of text and for an answer that stops in
    the middle; UpstreamRefused for an error.
    """
    if not (reply.header("content-type") or "").lower().startswith("text/event-stream"):
        choice = _choice(await reply.read(cap * 2))
        if choice is None or choice.message is None:
            raise UpstreamBroken(_NONE)
        yield choice.message.text[:cap]
        return
    said = heard = 0
    ended = False
    splitter = sse.SseSplitter(cap * 2)
    async for chunk in reply.chunks():
        heard += len(chunk)
        for event in splitter.feed(chunk):
            data = sse.data_of(event)
            ended = ended or data == _DONE
            choice = _choice(data) if data and not ended else None
            if choice is None:
                continue
            ended = choice.finish_reason is not None
            if choice.delta is not None and choice.delta.text:
                said += len(choice.delta.text.encode("utf-8", "replace"))
                yield choice.delta.text
        if said > cap or heard > cap * _ENVELOPES:
            raise UpstreamBroken(f"the chat endpoint's answer is longer than {cap} bytes")
        if ended:
            return
    raise UpstreamBroken("the chat endpoint's answer stopped in the middle")


def _choice(data: bytes) -> _Choice | None:
    """The first choice; None in what only counts. Raises UpstreamBroken, UpstreamRefused."""
    try:
        found = _COMPLETION.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken(_NONE, cause=error) from error
    if found.error is not None:
        raise UpstreamRefused(
            "the chat endpoint answered with an error", upstream_status=502, retryable=False
        )
    if found.choices is None:
        raise UpstreamBroken(_NONE)
    return found.choices[0] if found.choices else None
