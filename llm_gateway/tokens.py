"""How many tokens a request will be, counted before anybody is asked: with the model's own vocabulary where
that is public, else with the nearest one and a stated factor. It reads any dialect's JSON, for it only
collects texts.

What comes in is counted in pieces: the loop never waits for more than one of them.
"""

import asyncio
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.ask import Ask
from llm_gateway.contents import Contents, contents
from shared.ledger.entry import Usage

# What frames a message (its role and two markers) and what begins the answer.
_PER_ITEM, _PER_CALL = 4, 3
# A longer request is left to the estimate by its bytes.
_LONGEST = 512 * 1024
# Ordinary text is counted at 100 MB a second, random characters at a twentieth of that.
_PIECE = 4 * 1024
_PATIENCE_SECONDS = 0.001
_REMEMBERED = 8192
_MEMBERS = (
    *("messages", "contents", "input", "prompt", "query", "documents"),
    *("system", "systemInstruction", "system_instruction", "instructions"),
    *("tools", "functions", "response_format", "text", "output_config"),
)
_TOOLS = ("tools", "functions", "response_format", "text", "output_config")


class Encoding(Struct, frozen=True):
    """A vocabulary, and how many percent of its count a model's own would make."""

    name: str
    percent: int = 100


# The first that is found in a model's name. Anthropic publishes no vocabulary: its count is a quarter above
# OpenAI's on prose and code. Gemini's is Gemma's. Mistral's older models need a fifth more than Tekken.
_ENCODINGS: tuple[tuple[str, Encoding], ...] = (
    (r"gpt-?oss", Encoding("gpt-oss")),
    (r"gpt-?3|gpt-4(?![o.\d])|text-embedding|davinci|babbage|gpt-35", Encoding("cl100k_base")),
    (r"claude|anthropic", Encoding("o200k_base", 125)),
    (r"gemini|gemma|learnlm", Encoding("gemma4")),
    (r"deepseek", Encoding("deepseek_v3")),
    (r"qwen|qwq|qvq", Encoding("qwen3")),
    (r"mixtral|mistral-7b|open-mistral|codestral", Encoding("mistral_v3", 120)),
    (r"mistral|ministral|magistral|devstral|pixtral|voxtral", Encoding("mistral_v3")),
    (r"llama-?2|llama2|vicuna", Encoding("llama3", 120)),
    (r"llama|hermes|nemotron", Encoding("llama3")),
    (r"glm|zhipu", Encoding("glm4")),
    (r"kimi|moonshot", Encoding("kimi_k2")),
    (r"phi-?[34]", Encoding("phi4")),
)
_NEAREST = Encoding("o200k_base")
# A vocabulary's expression is compiled as it meets kinds of characters for the first time.
_OF_EVERY_KIND = (
    "It's A test's 2nd LINE,\n\t{'naïve': [1.50]}\r\n  — 漢字かな Привет ﷺ हिन्दी 😀\u200d\u0301!!   x_y\u00a0"
)
_RULES = tuple((re.compile(pattern, re.IGNORECASE), encoding) for pattern, encoding in _ENCODINGS)
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode


@lru_cache(maxsize=1024)
def encoding_of(model: str) -> Encoding:
    return next((encoding for pattern, encoding in _RULES if pattern.search(model)), _NEAREST)


def count(model: str, texts: Iterable[str]) -> int:
    """At once: for texts that are known to be short."""
    encoding = encoding_of(model)
    return _scaled(sum(_pieces(encoding, text) for text in texts), encoding)


def warm(models: Iterable[str]) -> None:
    """Loads what counting for these models needs: up to half a second and 75 MB for each vocabulary."""
    for name in {encoding_of(model).name for model in models}:
        _vocabulary(name).encode_ordinary(_OF_EVERY_KIND)


class TokenCounter:
    """Remembers what it has counted: a chat comes back with every message that it had before."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int, int]] = {}

    async def count(self, model: str, ask: Ask) -> Usage:
        """The input of `ask` for a provider's model `model`; the format's own estimate for one that is too
        long, or that cannot be read.
        """
        if len(ask.body) > _LONGEST:
            return Usage(tokens_in=ask.tokens_in)
        try:
            return await self._usage(encoding_of(model), _parts(ask.body))
        except (ValueError, RecursionError):
            return Usage(tokens_in=ask.tokens_in)

    async def _usage(self, encoding: Encoding, parts: Iterable[tuple[Raw, int]]) -> Usage:
        pace = _Pace()
        text = audio = image = 0
        for raw, framed in parts:
            found = await self._part(encoding, raw, pace)
            text += found[0] + framed
            audio, image = audio + found[1], image + found[2]
            await pace.kept()
        text = _scaled(text, encoding) + _PER_CALL
        return Usage(tokens_in=text + audio + image, audio_in=audio, image_in=image)

    async def _part(self, encoding: Encoding, raw: Raw, pace: "_Pace") -> tuple[int, int, int]:
        key = blake2b(raw, digest_size=16, person=encoding.name.encode()).digest()
        known = self._known.get(key)
        if known is None:
            found = contents(msgspec.json.decode(raw))
            known = (await _counted(encoding, found, pace), found.audio, found.image)
            if len(self._known) >= _REMEMBERED:
                # The older half: those that are still in use come back at the price of one count.
                for old in list(self._known)[: _REMEMBERED // 2]:
                    del self._known[old]
            self._known[key] = known
        return known


def _parts(body: bytes) -> Iterable[tuple[Raw, int]]:
    """Each message, tool and instruction, and what frames it."""
    found = _members(body)
    for name in _MEMBERS:
        raw = found.get(name)
        if raw is None:
            continue
        framed = 0 if name in _TOOLS else _PER_ITEM
        if bytes(memoryview(raw)[:1]) == b"[":
            yield from ((item, framed) for item in _items(raw))
        else:
            yield raw, framed


class _Pace:
    """Lets everybody else have their turn when one call has had the loop for long enough."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    async def kept(self) -> None:
        if self._clock() - self._began > _PATIENCE_SECONDS:
            await asyncio.sleep(0)
            self._began = self._clock()


async def _counted(encoding: Encoding, found: Contents, pace: _Pace) -> int:
    vocabulary, total = _vocabulary(encoding.name), 0
    for text in found.texts:
        for start in range(0, len(text), _PIECE):
            total += len(vocabulary.encode_ordinary(text[start : start + _PIECE]))
            await pace.kept()
    return total


def _pieces(encoding: Encoding, text: str) -> int:
    return len(_vocabulary(encoding.name).encode_ordinary(text))


def _scaled(tokens: int, encoding: Encoding) -> int:
    return -(-tokens * encoding.percent // 100)


@cache
def _vocabulary(name: str) -> Any:
    # The import alone takes 20 MB: it is for those who limit tokens or money.
    from splintr import Tokenizer

    return Tokenizer.from_pretrained(name)
