"""Speech and transcripts through the official client: sound in pieces, forms, seconds and characters."""

import asyncio
import io
import wave

import openai
import pytest

from llm_gateway.endpoints.audio import wav_seconds
from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, model_section
from tests.support.endpoint_provider import (
    AUDIO_USAGE,
    body,
    event,
    form_of,
    sound,
    transcript_events,
)
from tests.support.providers import REAL_MODEL, Call, ScriptedProvider, cut, error, sending, whole
from tests.support.wait import eventually

SPEECH, LISTEN = "/v1/audio/speech", "/v1/audio/transcriptions"


def wav(seconds: float) -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8_000)
        out.writeframes(b"\0\0" * int(8_000 * seconds))
    return written.getvalue()


async def test_speech_comes_byte_for_byte_and_is_paid_by_the_character(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(sound(b"\xff\xfb\x90", b"\0" * 70_000, b"end"))
    answer = await client.audio.speech.create(model="drawn", input="Grüße, Welt", voice="alloy")
    assert answer.content == b"\xff\xfb\x90" + b"\0" * 70_000 + b"end"
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert provider.last.json == {"model": REAL_MODEL, "input": "Grüße, Welt", "voice": "alloy"}
    row = await alone.service.row()
    assert (row.units, row.cost_micros, row.findings) == (11, 11 * 40_000, ())


async def test_sound_comes_while_it_is_made(plain: Gateway, provider: ScriptedProvider) -> None:
    gate = asyncio.Event()

    async def behave(call: Call) -> None:
        await call.start({"content-type": "audio/pcm"})
        await call.send(b"first")
        await gate.wait()
        await call.send(b"last")
        await call.end()

    provider.will(behave)
    async with await plain.send({"model": "fast", "input": "a", "voice": "x"}, path=SPEECH) as reply:
        chunks = reply.chunks()
        assert await anext(chunks) == b"first"
        gate.set()
        assert [chunk async for chunk in chunks] == [b"last"]


async def test_a_length_that_is_announced_stays(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(whole(b"0123456789", headers={"content-type": "audio/wav"}))
    heard = await plain.hear({"model": "fast", "input": "a", "voice": "x"}, path=SPEECH)
    assert (heard.headers["content-length"], heard.body) == ("10", b"0123456789")


async def test_sound_that_is_cut_off_stays_cut_off(plain: Gateway, provider: ScriptedProvider) -> None:
    async def behave(call: Call) -> None:
        await call.start({"content-type": "audio/mpeg"})
        await call.send(b"first")
        await cut(call)

    provider.will(behave)
    with pytest.raises(Exception, match="cut off"):
        await plain.hear({"model": "fast", "input": "a", "voice": "x"}, path=SPEECH)
    row = await plain.service.row()
    assert (row.outcome, row.units) == (Outcome.BROKEN, 1)


async def test_speech_in_events(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    usage = {"input_tokens": 3, "output_tokens": 90, "total_tokens": 93}
    said = [event("speech.audio.delta", audio="AAAA"), event("speech.audio.done", usage=usage)]
    provider.will(sending(said))
    answer = await client.audio.speech.create(model="fast", input="a", voice="x", stream_format="sse")
    assert answer.content == b"".join(said)
    row = await alone.service.row()
    assert (row.tokens_in, row.tokens_out, row.units) == (3, 90, 0)


@pytest.mark.parametrize("said", [whole(b"{}"), whole(b"<html>", headers={"content-type": "text/html"})])
async def test_what_is_no_sound_is_a_clear_error(
    plain: Gateway, provider: ScriptedProvider, said: object
) -> None:
    provider.will(said)  # type: ignore[arg-type]
    heard = await plain.hear({"model": "fast", "input": "a", "voice": "x"}, path=SPEECH)
    assert (heard.status, heard.error["code"]) == (502, "upstream_broken")


async def test_a_caller_that_has_heard_enough(plain: Gateway, provider: ScriptedProvider) -> None:
    async def behave(call: Call) -> None:
        await call.start({"content-type": "audio/mpeg"})
        await call.send(b"first")
        await call.gone()

    provider.will(behave)
    reply = await plain.send({"model": "fast", "input": "four", "voice": "x"}, path=SPEECH)
    assert await anext(reply.chunks()) == b"first"
    await reply.close()
    await eventually(lambda: provider.last.left.is_set())
    row = await plain.service.row()
    assert (row.outcome, row.units) == (Outcome.CLIENT_GONE, 4)


async def test_a_transcript_that_counts_tokens(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(body({"text": "hello", "usage": AUDIO_USAGE}))
    answer = await client.audio.transcriptions.create(
        model="fast", file=("a.wav", wav(1)), language="de", timestamp_granularities=["word"]
    )
    assert answer.text == "hello"
    form = form_of(provider.last)
    assert form["file"] == [("a.wav", wav(1))]
    assert form["model"] == [(None, REAL_MODEL.encode())]
    assert form["timestamp_granularities[]"] == [(None, b"word")]
    row = await alone.service.row()
    assert (row.tokens_in, row.audio_in, row.tokens_out, row.units) == (14, 10, 6, 0)
    assert row.cost_micros == 4 * 1 + 10 * 3 + 6 * 4


@pytest.mark.parametrize(
    ("said", "units", "findings"),
    [
        ({"text": "a", "usage": {"type": "duration", "seconds": 6.2}}, 7, ()),
        ({"text": "a", "language": "en", "duration": 8.01}, 9, ()),
        ({"text": "a"}, 3, ()),
    ],
)
async def test_seconds_are_counted_by_whoever_knows_them(
    client: openai.AsyncOpenAI,
    provider: ScriptedProvider,
    alone: Gateway,
    said: dict[str, object],
    units: int,
    findings: tuple[str, ...],
) -> None:
    provider.will(body(said))
    await client.audio.transcriptions.create(model="drawn", file=("a.wav", wav(2.5)))
    row = await alone.service.row()
    assert (row.units, row.findings) == (units, findings)


async def test_subtitles_pass_as_text_and_a_recording_that_says_nothing_is_guessed(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(whole(b"1\n00:00 --> 00:01\nhello\n", headers={"content-type": "text/plain"}))
    answer = await client.audio.transcriptions.create(
        model="drawn", file=("a.mp3", b"\xff" * 50_000), response_format="srt"
    )
    assert str(answer).startswith("1\n00:00")
    row = await alone.service.row()
    assert (row.units, row.findings) == (4, ("usage:estimated",))


async def test_a_transcript_in_a_stream(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, alone: Gateway
) -> None:
    provider.will(sending(transcript_events("Hel", "lo")))
    answer = await client.audio.transcriptions.create(model="fast", file=("a.wav", wav(1)), stream=True)
    assert [part.type async for part in answer] == [
        "transcript.text.delta",
        "transcript.text.delta",
        "transcript.text.done",
    ]
    row = await alone.service.row()
    assert (row.tokens_in, row.tokens_out, row.outcome) == (14, 6, Outcome.COMPLETED)


async def test_a_model_that_cannot_stream_answers_whole(plain: Gateway, provider: ScriptedProvider) -> None:
    provider.will(body({"text": "hello"}))
    sent = (
        b'--b\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\0\1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nfast\r\n--b--\r\n'
    )
    headers = plain.identity() | {"content-type": "multipart/form-data; boundary=b"}
    heard = await plain.hear(sent, path=LISTEN, headers=headers)
    assert heard.json == {"text": "hello"}


async def test_a_translation(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    provider.will(body({"text": "hello"}))
    with pytest.deprecated_call():
        answer = await client.audio.translations.create(model="fast", file=("a.wav", wav(1)))
    assert answer.text == "hello"
    assert provider.last.path == "/v1/audio/translations"


async def test_a_recording_that_is_too_large(opened: Open, provider: ScriptedProvider) -> None:
    limits = {"max_upload_bytes": 1_000}
    async with opened(provider, endpoints=limits, models={"fast": model_section()}) as gateway:
        headers = gateway.identity() | {"content-type": "multipart/form-data; boundary=b"}
        heard = await gateway.hear(b"x" * 2_000, path=LISTEN, headers=headers)
        assert (heard.status, heard.error["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("status", [400, 429, 500])
async def test_errors_of_the_provider(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, status: int
) -> None:
    provider.will(error(status))
    with pytest.raises(openai.APIStatusError):
        await client.audio.transcriptions.create(model="fast", file=("a.wav", wav(1)))
    with pytest.raises(openai.APIStatusError):
        await client.audio.speech.create(model="fast", input="a", voice="x")


@pytest.mark.parametrize("seconds", [0, 0.5, 12])
def test_a_wav_says_how_long_it_is(seconds: float) -> None:
    assert wav_seconds(wav(seconds)) == seconds


def test_a_wav_that_was_written_while_it_was_recorded_is_as_long_as_it_is() -> None:
    recorded = wav(2)
    at = recorded.index(b"data") + 4
    assert wav_seconds(recorded[:at] + b"\xff\xff\xff\xff" + recorded[at + 4 :]) == 2
    assert wav_seconds(recorded[:at] + b"\xff\xff\xff\xff" + recorded[at + 4 : -16_000]) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"RIFF0000WAVE", b"RIFF0000WAVEfmt ", b"RIFF0000WAVE" + b"junk\0\0\0\0" * 100, b"ID3" * 9],
)
def test_what_is_no_wav_says_nothing(data: bytes) -> None:
    assert wav_seconds(data) is None
