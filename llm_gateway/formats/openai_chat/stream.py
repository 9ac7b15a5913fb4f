"""Replies of OpenAI-compatible providers, whole or streamed: watched for usage, errors and the end, and left
as they are.
"""

import re

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.openai_chat.usage import WireUsage
from llm_gateway.guess import TokensOut
from shared import sse
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.ledger.entry import Usage

DONE = b"[DONE]"
DONE_EVENT = b"data: [DONE]\n\n"
_SAID = 500
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_USAGE = re.compile(rb'"usage"\s*:\s*\{')


class _Reply(Struct, frozen=True):
    """What a reply or one chunk of it must have, and what we look at."""

    choices: list[Raw] | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


_decode = msgspec.json.Decoder(_Reply).decode


class OpenAIStream:
    """Reads along. Chunks in which nothing is to be seen pass without being taken apart."""

    def __init__(self, *, show_usage: bool) -> None:
        self.usage: Usage | None = None
        self.done = False
        self.fault: UpstreamFault | None = None
        self._show_usage = show_usage
        self._splitter = sse.SseSplitter()
        self._checked = self._counted = False
        self._said = TokensOut()

    def feed(self, chunk: bytes) -> bytes:
        if self._checked and _plain(chunk) and self._splitter.empty:
            self._said.add(chunk.count(b"\n\n"), len(chunk))
            return chunk
        kept = []
        for event in self._splitter.feed(chunk):
            try:
                if self._keep(event):
                    kept.append(event)
            except UpstreamFault as error:
                self.fault = error
            if self.done or self.fault:
                break
        return b"".join(kept)

    def end(self) -> bytes:
        out = b"" if self._splitter.empty else self.feed(b"\n\n")
        if self.done or self.fault:
            return out
        if not self._counted:
            self.fault = UpstreamBroken("the provider's stream ended before it was complete")
            return out
        # Some providers close instead of saying that they are done; usage comes last, so nothing is missing.
        self.done = True
        return out + DONE_EVENT

    def estimate(self) -> int:
        return self._said.estimate

    def _keep(self, event: bytes) -> bool:
        data = sse.data_of(event)
        if data == DONE:
            self.done = True
            return True
        if not data:
            return True
        if self._checked and b'"error"' not in event and not _USAGE.search(event):
            self._said.add(1, len(event))
            return True
        return self._look(event, data)

    def _look(self, event: bytes, data: bytes) -> bool:
        """An event that says more than text, or the first, which must show that this is a stream at all."""
        chunk = _read(data)
        if _given(chunk.error):
            raise refused_by(chunk.error, data)
        if chunk.choices is None:
            raise UpstreamBroken("the provider's stream holds something that is no completion chunk")
        self._checked = True
        counted = WireUsage.read(chunk.usage)
        if counted is not None:
            self.usage = counted
            # Some count with every chunk: only the last one says that nothing is missing.
            self._counted = not chunk.choices or _FINISHED.search(data) is not None
            return bool(chunk.choices) or self._show_usage
        self._said.add(1, len(event))
        return True


def read_reply(body: bytes) -> Usage | None:
    """The usage in a whole reply. Raises UpstreamRefused when it is an error, UpstreamBroken when it is none
    of both.
    """
    reply = _read(body)
    if _given(reply.error):
        raise refused_by(reply.error)
    if reply.choices is None:
        raise UpstreamBroken("the provider's answer is no chat completion")
    return WireUsage.read(reply.usage)


def _plain(chunk: bytes) -> bool:
    """Whether `chunk` is whole events, none of which can be more than a piece of text."""
    return (
        chunk.endswith(b"\n\n")
        and DONE not in chunk
        and b'"error"' not in chunk
        and (b'"usage"' not in chunk or not _USAGE.search(chunk))
    )


def _read(data: bytes) -> _Reply:
    try:
        return _decode(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's answer is no chat completion", cause=error) from error


def _given(raw: Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def refused_by(error: Raw, words: bytes = b"") -> UpstreamRefused:
    """The fault that a provider's `error` is, which it sent where an answer should be; `words` as it came."""
    said, status = _details(error)
    about = f": {said}" if said and 400 <= status < 500 else ""
    return UpstreamRefused(
        f"the provider sent an error instead of an answer{about}",
        upstream_status=status,
        body=words,
        retryable=True,
    )


def _details(error: Raw) -> tuple[str, int]:
    """What it says, and the HTTP status that some providers write into the error itself."""
    try:
        found = msgspec.json.decode(error)
    except (ValueError, RecursionError):
        return "", 502
    if not isinstance(found, dict):
        return "", 502
    said, code = found.get("message"), found.get("code")
    status = code if isinstance(code, int) and 400 <= code <= 599 else 502
    return (said[:_SAID] if isinstance(said, str) else ""), status
