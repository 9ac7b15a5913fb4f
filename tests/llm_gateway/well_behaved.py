"""A provider of OpenAI's form that answers every endpoint the way its documentation says."""

from collections.abc import Callable

from tests.support.endpoint_provider import (
    AUDIO_USAGE,
    FileKeeper,
    body,
    embeddings,
    form_of,
    image_events,
    images,
    sound,
    text_completion,
    text_stream,
    transcript_events,
)
from tests.support.providers import USAGE, Behaviour, Call, completion, sending, stream, whole


class WellBehaved(FileKeeper):
    def __init__(self) -> None:
        super().__init__()
        self.will(self._answer_all)

    async def _answer_all(self, call: Call) -> None:
        path = call.path.partition("?")[0].removeprefix("/v1")
        if path.startswith(("/files", "/batches")):
            await self.serve(call)
        else:
            await _ANSWERS.get(path, _anything)(call)(call)


def _anything(call: Call) -> Behaviour:
    return body({"path": call.path})


def _chat(call: Call) -> Behaviour:
    return stream() if call.json.get("stream") else completion()


def _embeddings(call: Call) -> Behaviour:
    given = call.json["input"]
    many = len(given) if isinstance(given, list) and given and not isinstance(given[0], int) else 1
    return embeddings(*([0.5, -0.25] for _ in range(many)))


def _rerank(call: Call) -> Behaviour:
    found = [{"index": n, "relevance_score": 0.5} for n in range(len(call.json["documents"]))]
    return body({"results": found, "meta": {"billed_units": {"search_units": 1}}})


def _moderations(call: Call) -> Behaviour:
    return body({"id": "modr-1", "model": "m", "results": [{"flagged": False, "categories": {}}]})


def _images(call: Call) -> Behaviour:
    streamed = call.headers["content-type"].startswith("application/json") and call.json.get("stream")
    return sending(image_events()) if streamed else images()


def _speech(call: Call) -> Behaviour:
    if call.json.get("stream_format") == "sse":
        return sending([b'data: {"type":"speech.audio.done"}\n\n'])
    return sound(b"RIFF", b"....")


def _transcription(call: Call) -> Behaviour:
    form = form_of(call)
    if [value for _, value in form.get("stream", [])] == [b"true"]:
        return sending(transcript_events("Hel", "lo"))
    kinds = [value for _, value in form.get("response_format", [])]
    if kinds and kinds[0] in (b"text", b"srt", b"vtt"):
        return whole(b"Hello\n", headers={"content-type": "text/plain; charset=utf-8"})
    return body({"text": "Hello", "usage": AUDIO_USAGE})


def _completions(call: Call) -> Behaviour:
    if call.json.get("stream"):
        return text_stream("a", "b", usage=USAGE)
    return body(text_completion(USAGE))


_ANSWERS: dict[str, Callable[[Call], Behaviour]] = {
    "/chat/completions": _chat,
    "/embeddings": _embeddings,
    "/rerank": _rerank,
    "/moderations": _moderations,
    "/images/generations": _images,
    "/images/edits": _images,
    "/images/variations": _images,
    "/audio/speech": _speech,
    "/audio/transcriptions": _transcription,
    "/audio/translations": _transcription,
    "/completions": _completions,
}
