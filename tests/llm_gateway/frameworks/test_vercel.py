"""The Vercel AI SDK, in a process of its own: an address and a key is all that it is told."""

import asyncio
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from tests.llm_gateway.frameworks.scripted import (
    OSLO,
    ROME,
    SUNNY,
    Scripted,
    World,
    every_kind,
)
from tests.llm_gateway.matrix.heard import TOOL
from tests.llm_gateway.matrix.upstream import TOKENS_IN, TOKENS_OUT
from tests.support.providers import Json

JS = Path(__file__).parents[2] / "js"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(NODE is None, reason="there is no node here to run JavaScript clients with"),
    pytest.mark.skipif(
        not (JS / "node_modules" / "ai").is_dir(),
        reason="the JavaScript clients are not installed: `make setup` does that where there is npm",
    ),
]


async def run(world: World, scripted: Scripted, surface: str, **given: str) -> tuple[Json, str]:
    """What the script says that its user has seen, or what it failed of."""
    assert NODE is not None
    given |= {"GATEWAY": world.gateway.url, "KEY": world.key, "MODEL": scripted.name, "SURFACE": surface}
    process = await asyncio.create_subprocess_exec(
        *(NODE, "tool_loop.mjs"),
        cwd=JS,
        env={"PATH": os.environ["PATH"], **given},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    seen: Json = msgspec.json.decode(output) if process.returncode == 0 else {}
    return seen, errors.decode()


def script(scripted: Scripted) -> None:
    scripted.will(
        scripted.says(thinking="Hm.", calls=(OSLO, ROME)),
        scripted.says("Sunny in both."),
        scripted.streams(calls=(OSLO,)),
        scripted.streams("Sun", "ny."),
        scripted.says('{"name":"Ada","age":36}'),
    )


@every_kind
@pytest.mark.parametrize("surface", ["chat", "responses"])
async def test_tool_loops_and_an_object(world: World, scripted: Scripted, surface: str) -> None:
    script(scripted)
    # Left to itself the SDK only names the thoughts of a provider that keeps them: see below.
    stateful = surface == "responses" and scripted.upstream.kind == "openai_responses"
    seen, errors = await run(world, scripted, surface, **({"STORE": "no"} if stateful else {}))
    used = [2 * TOKENS_IN, 2 * TOKENS_OUT]
    oslo, rome = [TOOL, {"city": "Oslo"}], [TOOL, {"city": "Rome"}]
    assert seen, errors
    assert seen["whole"] == {"text": "Sunny in both.", "calls": [oslo, rome], "tokens": used}
    assert seen["streamed"] == {"pieces": ["Sun", "ny."], "calls": [oslo], "tokens": used}
    assert seen["person"] == {"name": "Ada", "age": 36}
    assert [scripted.results(1), scripted.results(3)] == [SUNNY, SUNNY[:1]]
    assert (scripted.keeps_thoughts(1), scripted.asked_for(4)) == (True, {"name", "age"})


@pytest.mark.parametrize("scripted", ["of-responses"], indirect=True)
async def test_what_a_provider_keeps_is_named_to_it(world: World, scripted: Scripted) -> None:
    script(scripted)
    seen, errors = await run(world, scripted, "responses")
    assert seen, errors
    assert seen["whole"]["text"] == "Sunny in both."
    items = [item for item in scripted.calls[1].json["input"] if item.get("type") == "item_reference"]
    assert [item["id"] for item in items]
