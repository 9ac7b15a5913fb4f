"""The demo's model, really running: SmolLM2 behind llama.cpp's own server, in a process of its own; and a
gateway in front of it.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import msgspec
import openai
from google import genai
from google.genai import types
from msgspec import Struct

from demo.processes import Processes
from demo.settings import ROOT
from shared.ledger.row import Row
from tests.llm_gateway.gateway import Gateway, gateway
from tests.support.serve import rows

MODEL = "smollm2"
# How it is asked, by its name at the gateway.
WAYS = ("by-chat", "by-responses", "by-messages")


class World(Struct, frozen=True):
    """A gateway before the model, which it asks in each of the formats that the model's server knows, and
    the SDKs of those who call it.
    """

    gateway: Gateway
    key: str
    model: str
    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic
    gemini: Any

    async def known(self) -> set[str]:
        """The ids of the entries that there are."""
        return {row.id for row in await rows(self.gateway.service.parts.redis)}

    async def new_row(self, known: set[str]) -> Row:
        """The one entry that has come since then."""
        found = await self.gateway.service.rows(len(known) + 1)
        [row] = [row for row in found if row.id not in known]
        return row

    async def idle(self) -> bool:
        """Whether the model works for nobody."""
        async with await self.gateway.http.send("GET", f"{self.model}/slots", headers=[]) as reply:
            slots = msgspec.json.decode(await reply.read(2**20))
        return not any(slot["is_processing"] for slot in slots)


@contextlib.asynccontextmanager
async def open_world(directory: Path, redis: str) -> AsyncIterator[World]:
    async with (
        local_model(directory) as url,
        gateway(directory, redis, accept=["key"], providers=_providers(url), models=_models()) as running,
    ):
        secret, record = running.edge.key()
        await running.edge.keys(running.service.parts, [record])
        async with (
            openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=secret, max_retries=0) as chat,
            anthropic.AsyncAnthropic(
                base_url=f"{running.url}/anthropic", api_key=secret, max_retries=0
            ) as claude,
        ):
            options = types.HttpOptions(base_url=f"{running.url}/gemini")
            google = genai.Client(api_key=secret, http_options=options).aio
            yield World(running, secret, url, chat, claude, google)
            await google.aclose()


@contextlib.asynccontextmanager
async def local_model(directory: Path) -> AsyncIterator[str]:
    """Its address, until the block is left. `directory` gets the log."""
    environ = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)}
    async with Processes(directory / "model.log") as running:
        line = await running.start("the model", ["demo.model"], environ, until=" listens on ")
        yield line.split()[-1]


def _providers(url: str) -> dict[str, Any]:
    patient = {"first_byte_timeout_seconds": 60}
    return {
        "chat": {"base_url": f"{url}/v1", "known": "llama_cpp", **patient},
        "responses": {"base_url": f"{url}/v1", "wires": ["openai_responses"], **patient},
        "messages": {"kind": "anthropic", "base_url": url, **patient},
    }


def _models() -> dict[str, Any]:
    price = {"in": 1_000_000, "out": 1_000_000}
    targets = {way: {"provider": way.removeprefix("by-"), "model": MODEL} for way in WAYS}
    return {way: {"targets": [target], "price": price} for way, target in targets.items()}
