"""Who makes the vectors of questions: this process, or an endpoint of OpenAI's form that the operator
names.
"""

import asyncio
from typing import Protocol

import msgspec
import numpy as np
from msgspec import Struct

from llm_gateway.cache.config import EmbedderSection
from shared.embed import Vectors, embed_one
from shared.errors import UpstreamBroken
from shared.http_client import HttpClient

_LONGEST_TEXT = 8_192
_REPLY_BYTES = 1_048_576


class Embedder(Protocol):
    async def vector(self, text: str) -> Vectors:
        """Of length 1; all zeros where nothing in the text is known. Raises UpstreamFault."""
        ...


class Builtin:
    """Quick enough for the loop once its weights are there; the first call loads them beside it."""

    def __init__(self) -> None:
        self._ready = False

    async def vector(self, text: str) -> Vectors:
        if not self._ready:
            await asyncio.to_thread(embed_one, "")
            self._ready = True
        return embed_one(text[:_LONGEST_TEXT])


class _Row(Struct, frozen=True):
    embedding: list[float]


class _Rows(Struct, frozen=True):
    data: list[_Row]


class Endpoint:
    """Source: https://platform.openai.com/docs/api-reference/embeddings"""

    def __init__(self, section: EmbedderSection, http: HttpClient) -> None:
        self._section = section
        self._http = http

    async def vector(self, text: str) -> Vectors:
        section = self._section
        headers = [(b"content-type", b"application/json")]
        if section.key:
            headers.append((b"authorization", f"Bearer {section.key.reveal()}".encode()))
        body = msgspec.json.encode(
            {"model": section.model, "input": text[:_LONGEST_TEXT], "encoding_format": "float"}
        )
        async with await self._http.send(
            "POST", section.url, headers=headers, body=body, header_timeout=section.timeout_seconds
        ) as reply:
            found = await reply.read(_REPLY_BYTES)
        try:
            row = np.asarray(msgspec.json.decode(found, type=_Rows).data[0].embedding, dtype=np.float32)
        except (msgspec.MsgspecError, IndexError) as error:
            raise UpstreamBroken(
                "the embeddings endpoint answered with something else", cause=error
            ) from error
        length = float(np.linalg.norm(row))
        return row / length if length > 0 else row
